using Provisioner.Appliance;
using Provisioner.Certificates.Keys;
using Provisioner.Resources;

namespace Provisioner.Certificates;

/// <summary>The configuration's keys <c>ca</c> and <c>secure</c>.</summary>
internal static class CertificateFields
{
    /// <summary>The kinds of key, by their words. First, because the shapes below are made of them.</summary>
    public static readonly (string Word, KeyAlgorithm Value)[] Algorithms =
        [("p256", KeyAlgorithm.EcP256), ("p384", KeyAlgorithm.EcP384), ("rsa3072", KeyAlgorithm.Rsa3072)];

    public static Shape<CertificateOptions> Ca { get; } = DeclareCa();

    public static Shape<SecureOptions> Secure { get; } = DeclareSecure();

    private static Shape<CertificateOptions> DeclareCa()
    {
        var shape = new Shape<CertificateOptions>("ca", () => new CertificateOptions());
        shape.Default("algorithm", Values.OneOf("a kind of key", Algorithms), o => o.Algorithm, (o, v) => o with { Algorithm = v }, "The key of the next authority that is made.");
        shape.Default("authorityLifetime", Values.Days(30, 9_125), o => o.AuthorityLifetime, (o, v) => o with { AuthorityLifetime = v }, "How long an authority is good.");
        shape.Default("certificateLifetime", Values.Days(1, 825), o => o.CertificateLifetime, (o, v) => o with { CertificateLifetime = v }, "How long a host's certificate is good; it renews at two thirds.");
        KeyFields.Declare(shape, o => o.Keys, (o, v) => o with { Keys = v });
        shape.Check((options, report) =>
        {
            if (options.CertificateLifetime > options.AuthorityLifetime / 2)
                report("certificateLifetime", "is more than half of the authority's", Values.Format(options.CertificateLifetime), "a shorter time, or a longer authorityLifetime");
        });
        return shape;
    }

    private static Shape<SecureOptions> DeclareSecure()
    {
        var shape = new Shape<SecureOptions>("secure", () => new SecureOptions());
        shape.Default("address", ApplianceConfiguration.Address, o => o.Address, (o, v) => o with { Address = v }, "The address to listen at; 0.0.0.0 is all.");
        shape.Default("port", ApplianceConfiguration.Port, o => o.Port, (o, v) => o with { Port = v }, "TCP port.");
        shape.Optional("names", new ListKind<string>(Values.HostAddress), o => o.Names, (o, v) => o with { Names = v }, "Names and addresses hosts reach it by, besides this machine's own.");
        return shape;
    }
}
