using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Provisioner.Installing;

/// <summary>The rules of values that reach an answer file. Each says what is wrong, or null.</summary>
internal static partial class InstallTexts
{
    /// <summary>Longest script or key, in bytes: a few of them still fit one answer file.</summary>
    public const int MaximumScript = 32 * 1024;

    public static string? TimeZone(string text) => Zone().IsMatch(text) && text.Length <= 64 ? null : "is not a time zone";

    public static string? Locale(string text) => LocaleName().IsMatch(text) ? null : "is not a UTF-8 locale";

    public static string? Keyboard(string text) => KeyboardLayout().IsMatch(text) ? null : "is not a keyboard layout";

    /// <summary>What <c>useradd</c> of both families takes; not who is there already.</summary>
    public static string? UserName(string text) =>
        !Login().IsMatch(text) ? "is not a user's name"
        : text is "root" or "daemon" or "bin" or "sys" or "adm" or "sync" or "mail" or "nobody" or "sshd" or "chrony" or "systemd-network" or "polkitd" ? "is a system's own user"
        : null;

    /// <summary>A crypt(3) hash (crypt(5)): SHA-256, SHA-512 or yescrypt, no clear text.</summary>
    public static string? PasswordHash(string text) =>
        text.Length <= 255 && Crypt().IsMatch(text) ? null : "is not a crypt(3) hash";

    /// <summary>One line of <c>authorized_keys</c> without options: a type, the key, and perhaps a comment (sshd(8)).</summary>
    public static string? SshKey(string text)
    {
        var words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (text.Length > 4096)
            return "has more than 4096 characters";
        if (text.Any(c => c is < ' ' or > '~'))
            return "holds a character beyond ASCII";
        if (words.Length < 2 || words[0] is not ("ssh-ed25519" or "ssh-rsa" or "ecdsa-sha2-nistp256" or "ecdsa-sha2-nistp384" or "ecdsa-sha2-nistp521"
            or "sk-ssh-ed25519@openssh.com" or "sk-ecdsa-sha2-nistp256@openssh.com"))
            return "is not an SSH public key";
        // The blob begins with its own type (RFC 4253 §6.6): a private key, or half a key, does not.
        var blob = new byte[Base64.GetMaxDecodedFromUtf8Length(words[1].Length)];
        if (Base64.DecodeFromUtf8(Encoding.ASCII.GetBytes(words[1]), blob, out _, out var length) != System.Buffers.OperationStatus.Done)
            return "has a key that is not base64";
        var type = Encoding.ASCII.GetBytes(words[0]);
        return length > 4 + type.Length && BinaryPrimitives.ReadInt32BigEndian(blob) == type.Length && blob.AsSpan(4, type.Length).SequenceEqual(type)
            ? null : $"has a key that is not of the type {words[0]}";
    }

    public static string? Package(string text) => PackageName().IsMatch(text) ? null : "is not a package's name";

    public static string? RepositoryName(string text) => Identifier().IsMatch(text) ? null : "is not a repository's name";

    public static string? Suite(string text) => text == "./" || Identifier().IsMatch(text) ? null : "is not a suite";

    /// <summary>A URL in the characters that every answer file carries as they are; no password in it.</summary>
    public static string? Url(string text) =>
        text.Length > 512 ? $"has {text.Length} characters, 512 are allowed"
        : !Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || !UrlText().IsMatch(text) ? "is not an http or https URL"
        : url.UserInfo.Length > 0 ? "holds a user's name or password, which every reader of the answer file would see"
        : null;

    public static string? DiskPath(string text) => ByPath().IsMatch(text) && !text.Contains("..", StringComparison.Ordinal) ? null : "is not a name below /dev/disk/by-path";

    public static string? DiskSerial(string text) => Serial().IsMatch(text) ? null : "is not a disk's serial number";

    /// <summary>A port or a range of ports with its protocol.</summary>
    public static string? Port(string text)
    {
        var match = PortName().Match(text);
        if (!match.Success)
            return "is not a port";
        var from = int.Parse(match.Groups["from"].Value, CultureInfo.InvariantCulture);
        var to = match.Groups["to"].Success ? int.Parse(match.Groups["to"].Value, CultureInfo.InvariantCulture) : from;
        return from is < 1 or > 65_535 || to > 65_535 ? "is beyond 65535 or below 1" : to < from ? "begins after its end" : null;
    }

    public static string? PublicKey(string text) =>
        text.StartsWith("-----BEGIN PGP PUBLIC KEY BLOCK-----\n", StringComparison.Ordinal) && text.TrimEnd().EndsWith("-----END PGP PUBLIC KEY BLOCK-----", StringComparison.Ordinal)
            && text.All(c => c is '\n' or (>= ' ' and <= '~'))
            ? null : "is not an ASCII-armoured OpenPGP public key";

    [GeneratedRegex(@"\A[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Zone();

    [GeneratedRegex(@"\A([a-z]{2,3}_[A-Z]{2}|C)\.UTF-8\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex LocaleName();

    [GeneratedRegex(@"\A[a-z]{2,12}\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex KeyboardLayout();

    [GeneratedRegex(@"\A[a-z_][a-z0-9_-]{0,30}\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Login();

    [GeneratedRegex(@"\A\$(5|6|y|gy)\$[A-Za-z0-9./=,$]{20,}\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Crypt();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9+._-]{0,127}\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex PackageName();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._-]{0,62}\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Identifier();

    [GeneratedRegex(@"\A[A-Za-z0-9._~:/\[\]@!$&()*+,;=%-]+\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex UrlText();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9:._+-]{0,127}\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex ByPath();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Serial();

    [GeneratedRegex(@"\A(?<from>[0-9]{1,5})(-(?<to>[0-9]{1,5}))?/(tcp|udp)\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex PortName();
}
