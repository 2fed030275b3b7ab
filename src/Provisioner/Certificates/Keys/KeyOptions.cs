using Provisioner.Resources;

namespace Provisioner.Certificates.Keys;

/// <summary>Where the CA's private keys are kept: as encrypted files, unless a token is named.</summary>
public sealed record KeyOptions
{
    /// <summary>The file with the passphrase of the keys' files; null for a credential of systemd, or one made at the first start.</summary>
    public string? PassphraseFile { get; init; }

    /// <summary>The token to use instead of files; null for files.</summary>
    public Pkcs11Options? Pkcs11 { get; init; }
}

/// <summary>A token, such as an HSM, that is spoken to by PKCS#11.</summary>
/// <param name="Library">The token's PKCS#11 library, an absolute path.</param>
public sealed record Pkcs11Options(string Library)
{
    /// <summary>The token's label; null when <see cref="Serial"/> is enough.</summary>
    public string? Token { get; init; }

    /// <summary>The token's serial number; null when <see cref="Token"/> is enough.</summary>
    public string? Serial { get; init; }

    /// <summary>The file with the user's PIN; null for a credential of systemd.</summary>
    public string? PinFile { get; init; }
}

/// <summary>The keys of the configuration's <c>ca</c> that are about private keys.</summary>
internal static class KeyFields
{
    /// <summary>Adds them to the shape of <c>ca</c>.</summary>
    public static void Declare<T>(Shape<T> shape, Func<T, KeyOptions> get, Func<T, KeyOptions, T> set)
        where T : class
    {
        shape.Optional("passphraseFile", File, o => get(o).PassphraseFile, (o, v) => set(o, get(o) with { PassphraseFile = v }),
            "The file with the passphrase that the CA's keys are encrypted with.");
        shape.Optional("pkcs11", Pkcs11(), o => get(o).Pkcs11, (o, v) => set(o, get(o) with { Pkcs11 = v }),
            "A token that keeps the CA's keys instead of files.");
    }

    private static Shape<Pkcs11Options> Pkcs11()
    {
        var shape = new Shape<Pkcs11Options>("pkcs11", () => new Pkcs11Options(""));
        shape.Required("library", File, o => o.Library, (o, v) => o with { Library = v }, "The token's PKCS#11 library.");
        shape.Optional("token", Values.Text, o => o.Token, (o, v) => o with { Token = v }, "The token's label.");
        shape.Optional("serial", Values.Text, o => o.Serial, (o, v) => o with { Serial = v }, "The token's serial number, where a label is not unique.");
        shape.Optional("pinFile", File, o => o.PinFile, (o, v) => o with { PinFile = v }, "The file with the PIN of the token's user.");
        shape.Check((options, report) =>
        {
            if (options.Token is null && options.Serial is null)
                report("token", "no token is named", null, "the token's label, or its serial number as 'serial'");
        });
        return shape;
    }

    private static ScalarKind<string> File => Values.OfText("a file", "an absolute path such as /etc/provisioner/ca-passphrase",
        text => Path.IsPathFullyQualified(text) ? null : "is not an absolute path");
}
