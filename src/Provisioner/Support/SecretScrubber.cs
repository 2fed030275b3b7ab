using System.Text;
using System.Text.RegularExpressions;
using Provisioner.Appliance;
using Provisioner.Joining;
using Provisioner.Seeds;
using Provisioner.Storage;

namespace Provisioner.Support;

/// <summary>
/// Takes secrets out of text: every one that this appliance has, wherever it stands, and what looks like one. Each line of a bundle goes through it,
/// whatever made it.
/// </summary>
internal sealed partial class SecretScrubber
{
    private const string Instead = "REDACTED";

    /// <summary>A shorter text is no secret, and would blacken the whole bundle.</summary>
    private const int Shortest = 6;

    private readonly List<string> known;

    private SecretScrubber(IEnumerable<string> known) =>
        // The longest first: one may be part of another.
        this.known = [.. known.Select(k => k.Trim()).Where(k => k.Length >= Shortest).Distinct(StringComparer.Ordinal).OrderByDescending(k => k.Length)];

    /// <summary>Knows the secrets of that appliance.</summary>
    public static SecretScrubber For(ApplianceOptions options, Snapshot snapshot, SeedKey seeds)
    {
        var found = new List<string>();
        var data = Path.GetFullPath(options.DataDirectory);
        foreach (var directory in new[] { "ca", "seeds" })
        {
            if (Directory.Exists(Path.Combine(data, directory)))
                found.AddRange(Directory.EnumerateFiles(Path.Combine(data, directory), "*", SearchOption.AllDirectories).SelectMany(LinesOf));
        }
        foreach (var file in new[] { options.Ca.Keys.PassphraseFile, options.Ca.Keys.Pkcs11?.PinFile, options.Backup.PassphraseFile })
        {
            if (file is not null)
                found.AddRange(LinesOf(file));
        }
        if (Environment.GetEnvironmentVariable("CREDENTIALS_DIRECTORY") is { Length: > 0 } credentials && Directory.Exists(credentials))
            found.AddRange(Directory.EnumerateFiles(credentials).SelectMany(LinesOf));
        foreach (var variable in new[] { "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID" })
            found.Add(Environment.GetEnvironmentVariable(variable) ?? "");
        foreach (var installation in snapshot.Installations.Values)
            found.AddRange([seeds.CapabilityOf(installation), seeds.TokenOf(installation), seeds.DiskPassphraseOf(installation), .. installation.TokenHashes]);
        foreach (var user in snapshot.Profiles.Values.SelectMany(p => p.Spec.Install?.Users ?? []))
            found.Add(user.PasswordHash ?? "");
        return new SecretScrubber(found);
    }

    public string Scrub(string text)
    {
        foreach (var secret in known)
            text = text.Replace(secret, Instead, StringComparison.Ordinal);
        text = Redaction.Of(text);
        text = UserInUrl().Replace(text, "${scheme}" + Instead + "@");
        text = CryptHash().Replace(text, Instead);
        text = AgeKey().Replace(text, Instead);
        // 32, 48 or 64 bytes in base64url, as tokens and capabilities are; hexadecimal digits alone are a checksum or a fingerprint.
        return Word().Replace(text, match => match.Length is 43 or 64 or 86 && !match.Value.All(char.IsAsciiHexDigit) ? Instead : match.Value);
    }

    private static IEnumerable<string> LinesOf(string file)
    {
        try
        {
            return new FileInfo(file) is { Exists: true, Length: < 1 << 20 } ? Encoding.Latin1.GetString(File.ReadAllBytes(file)).Split('\n') : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return []; // What we cannot read is in nothing of ours.
        }
    }

    [GeneratedRegex("""(?<scheme>\b[a-z][a-z0-9+.-]*://)[^\s/@"']+@""", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex UserInUrl();

    // crypt(5)
    [GeneratedRegex("""\$(1|2[abxy]?|5|6|7|y|gy|argon2id?|scrypt|pbkdf2[a-z0-9-]*)\$[^\s"']{8,}""", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex CryptHash();

    [GeneratedRegex("""AGE-(SECRET-KEY|PLUGIN)-[A-Z0-9-]+""", RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex AgeKey();

    [GeneratedRegex("""[A-Za-z0-9_-]+""", RegexOptions.NonBacktracking)]
    private static partial Regex Word();
}
