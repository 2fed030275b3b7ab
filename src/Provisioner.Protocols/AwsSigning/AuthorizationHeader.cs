using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace Provisioner.Protocols.AwsSigning;

/// <summary>The header <c>Authorization</c> of a signed request.</summary>
/// <param name="Algorithm">As in <c>AWS4-X509-ECDSA-SHA256</c>.</param>
/// <param name="Credential">Whose signature it is: an access key, or for Roles Anywhere the certificate's serial number in decimal.</param>
/// <param name="SignedHeaders">In lower case, sorted.</param>
/// <param name="Signature">Lower-case hexadecimal.</param>
public sealed record AuthorizationHeader(string Algorithm, string Credential, CredentialScope Scope, ImmutableArray<string> SignedHeaders, string Signature)
{
    /// <summary>RSA of 8192 bits signs in 2048 digits.</summary>
    private const int LongestSignature = 2048;

    private const int LongestHeader = 8192;

    /// <summary>Reads the header.</summary>
    /// <param name="text">Any text at all; nothing is thrown.</param>
    /// <param name="reason">When false is returned: why it is none.</param>
    public static bool TryParse(string? text, [NotNullWhen(true)] out AuthorizationHeader? header, [NotNullWhen(false)] out string? reason)
    {
        header = null;
        reason = null;
        if (text is null or { Length: 0 or > LongestHeader })
            return Fail("there is no signature of a length it can have", out reason);
        var blank = text.IndexOf(' ', StringComparison.Ordinal);
        if (blank <= 0)
            return Fail("it names no algorithm", out reason);
        string? credential = null, signedHeaders = null, signature = null;
        foreach (var part in text[(blank + 1)..].Split(',', 4))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            var value = equals < 0 ? "" : part[(equals + 1)..].Trim();
            switch (equals < 0 ? "" : part[..equals].Trim())
            {
                case "Credential" when credential is null:
                    credential = value;
                    break;
                case "SignedHeaders" when signedHeaders is null:
                    signedHeaders = value;
                    break;
                case "Signature" when signature is null:
                    signature = value;
                    break;
                default:
                    return Fail("it has other parts than Credential, SignedHeaders and Signature, each once", out reason);
            }
        }
        var slash = credential?.IndexOf('/', StringComparison.Ordinal) ?? -1;
        if (slash <= 0 || !CredentialScope.TryParse(credential![(slash + 1)..], out var scope))
            return Fail("Credential is not KEY/DATE/REGION/SERVICE/aws4_request", out reason);
        if (credential.AsSpan(0, slash).ContainsAnyExcept(KeyCharacters) || slash > 128)
            return Fail("Credential names no key", out reason);
        var names = signedHeaders?.Split(';') ?? [];
        if (names.Length is 0 or > 64 || names.Any(n => n.Length == 0 || n.Any(c => !char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c is not ('-' or '_')))
            || !names.SequenceEqual(names.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal), StringComparer.Ordinal))
            return Fail("SignedHeaders is not a sorted list of names in lower case", out reason);
        if (signature is null or { Length: 0 or > LongestSignature } || signature.Length % 2 != 0 || !signature.All(char.IsAsciiHexDigitLower))
            return Fail("Signature is not lower-case hexadecimal", out reason);
        header = new AuthorizationHeader(text[..blank], credential[..slash], scope, [.. names], signature);
        return true;
    }

    /// <summary>As it is sent.</summary>
    public override string ToString() => $"{Algorithm} Credential={Credential}/{Scope}, SignedHeaders={string.Join(';', SignedHeaders)}, Signature={Signature}";

    private static System.Buffers.SearchValues<char> KeyCharacters { get; } =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");

    private static bool Fail(string why, out string reason)
    {
        reason = why;
        return false;
    }
}
