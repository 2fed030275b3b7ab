using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Provisioner.Tests.Join;

/// <summary>A host, and a double of the appliance it was installed by.</summary>
internal sealed class JoinFixture : JoinHost
{
    private JoinFixture(string distribution, Authority authority, ApplianceDouble appliance)
        : base(distribution, appliance.Address, authority.Certificate, ApplianceDouble.Installation, ApplianceDouble.Token)
    {
        Authority = authority;
        Appliance = appliance;
    }

    public Authority Authority { get; }

    public ApplianceDouble Appliance { get; }

    public static async Task<JoinFixture> StartAsync(string distribution = "dash")
    {
        var authority = Authority.Root("Provisioner 1");
        return new JoinFixture(distribution, authority, await ApplianceDouble.StartAsync(authority));
    }

    /// <summary>A host as enrol leaves it; begin and end are days from now.</summary>
    public static async Task<JoinFixture> EnrolledAsync(string distribution = "dash", double begin = -0.01, double end = 90)
    {
        var host = await StartAsync(distribution);
        var pki = Directory.CreateDirectory(host.File("etc/iam/pki/pair-first")).Parent!.FullName;
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        System.IO.File.WriteAllText(Path.Combine(pki, "pair-first", "server.key"), key.ExportECPrivateKeyPem());
        System.IO.File.WriteAllText(Path.Combine(pki, "pair-first", "server.pem"), host.Authority.IssueHost(new PublicKey(key), begin: begin, end: end).ExportCertificatePem());
        System.IO.File.CreateSymbolicLink(Path.Combine(pki, "current"), "pair-first");
        System.IO.File.CreateSymbolicLink(host.Key, "current/server.key");
        System.IO.File.CreateSymbolicLink(host.Certificate, "current/server.pem");
        Directory.CreateDirectory(host.File("var/lib/provisioner"));
        System.IO.File.WriteAllText(host.State, $"attempts=0\nnext=0\nchecked={TimeProvider.System.GetUtcNow().ToUnixTimeSeconds()}\nreason=\n");
        System.IO.File.Delete(host.Token);
        return host;
    }

    public override async ValueTask DisposeAsync()
    {
        await Appliance.DisposeAsync();
        await base.DisposeAsync();
    }
}
