using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Org.BouncyCastle.Crypto.Generators;
using Org.BouncyCastle.Math.EC.Rfc7748;

namespace Provisioner.Backup.Age;

/// <summary>
/// The header of a file in the format age v1 (https://c2sp.org/age): the file's key, wrapped for each recipient, and a MAC by that key. So the
/// tools of age (<c>age -d</c>, rage) open what is written here, and what they write can be read.
/// </summary>
internal static class AgeHeader
{
    private const string Version = "age-encryption.org/v1";
    private const string X25519Label = "age-encryption.org/v1/X25519";
    private const string ScryptLabel = "age-encryption.org/v1/scrypt";

    public const int FileKeyLength = 16;

    private const int SaltLength = 16, TagLength = 16, Columns = 64;

    /// <summary>log2 of scrypt's N: with r = 8 and p = 1, 128 MiB (OWASP, Password Storage Cheat Sheet).</summary>
    public const int WorkFactor = 17;

    /// <summary>A file of somebody else could ask for more memory than there is; age itself takes no more.</summary>
    private const int MostWork = 22;

    /// <summary>A header has a stanza of about 150 bytes a recipient.</summary>
    private const int MostBytes = 64 * 1024;

    /// <summary>The header for that key.</summary>
    public static byte[] Write(ReadOnlySpan<byte> fileKey, AgeLock to)
    {
        var text = new StringBuilder(Version).Append('\n');
        if (to.Passphrase is { } passphrase)
        {
            if (to.Recipients.Count > 0)
                throw new ArgumentException("A passphrase stands alone.", nameof(to));
            var salt = RandomNumberGenerator.GetBytes(SaltLength);
            text.Append(CultureInfo.InvariantCulture, $"-> scrypt {Encode(salt)} {WorkFactor}\n");
            AppendBody(text, Wrap(ScryptKey(passphrase, salt, WorkFactor), fileKey));
        }
        else if (to.Recipients.Count == 0)
        {
            throw new ArgumentException("There is nobody to encrypt to.", nameof(to));
        }
        foreach (var recipient in to.Recipients)
        {
            var (secret, share) = (RandomNumberGenerator.GetBytes(X25519.ScalarSize), new byte[X25519.PointSize]);
            X25519.ScalarMultBase(secret, 0, share, 0);
            text.Append(CultureInfo.InvariantCulture, $"-> X25519 {Encode(share)}\n");
            AppendBody(text, Wrap(SharedKey(secret, recipient.Key, share, recipient.Key) ?? throw new ArgumentException($"{recipient} is no key.", nameof(to)), fileKey));
        }
        text.Append("---");
        var mac = Mac(fileKey, Encoding.ASCII.GetBytes(text.ToString()));
        return Encoding.ASCII.GetBytes(text.Append(' ').Append(Encode(mac)).Append('\n').ToString());
    }

    /// <summary>Reads the header from the stream, up to the payload, and gives the file's key.</summary>
    /// <exception cref="AgeException">It is no such header, is damaged, or is for another key.</exception>
    public static async Task<byte[]> ReadAsync(Stream file, AgeUnlock by, CancellationToken ct)
    {
        var whole = new MemoryStream();
        if (await LineAsync(file, whole, ct) != Version)
            throw new AgeException("it is not a file of age, in which backups are written");
        var stanzas = new List<(string[] Arguments, byte[] Body)>();
        string end;
        while (true)
        {
            var line = await LineAsync(file, whole, ct);
            if (line.StartsWith("---", StringComparison.Ordinal))
            {
                end = line;
                break;
            }
            if (!line.StartsWith("-> ", StringComparison.Ordinal))
                throw Damaged();
            stanzas.Add((line[3..].Split(' '), await BodyAsync(file, whole, ct)));
        }
        if (!end.StartsWith("--- ", StringComparison.Ordinal) || Decode(end[4..]) is not { Length: HMACSHA256.HashSizeInBytes } mac)
            throw Damaged();
        var covered = whole.GetBuffer().AsMemory(0, (int)whole.Length - (end.Length - 3) - 1);
        var fileKey = Unwrap(stanzas, by);
        return CryptographicOperations.FixedTimeEquals(Mac(fileKey, covered.Span), mac) ? fileKey : throw Damaged();
    }

    /// <summary>Whether that file is one of age that a passphrase opens, as far as its beginning tells.</summary>
    public static bool WantsPassphrase(string path)
    {
        var begin = new byte[Version.Length + 12];
        using var file = File.OpenRead(path);
        var read = file.ReadAtLeast(begin, begin.Length, throwOnEndOfStream: false);
        return Encoding.ASCII.GetString(begin, 0, read).StartsWith($"{Version}\n-> scrypt ", StringComparison.Ordinal);
    }

    private static byte[] Unwrap(List<(string[] Arguments, byte[] Body)> stanzas, AgeUnlock by)
    {
        var isPassphrase = stanzas.Exists(s => s.Arguments[0] == "scrypt");
        if (isPassphrase && stanzas.Count != 1)
            throw Damaged();
        if (isPassphrase)
        {
            if (by.Passphrase is null)
                throw new AgeException("it is encrypted to a passphrase, and none was given") { IsWrongKey = true };
            var (arguments, body) = stanzas[0];
            if (arguments.Length != 3 || Decode(arguments[1]) is not { Length: SaltLength } salt || !int.TryParse(arguments[2], NumberStyles.None, CultureInfo.InvariantCulture, out var work) || work is < 1 or > MostWork)
                throw Damaged();
            return TryUnwrap(ScryptKey(by.Passphrase, salt, work), body) ?? throw new AgeException("the passphrase is not the one it was encrypted with") { IsWrongKey = true };
        }
        foreach (var (arguments, body) in stanzas.Where(s => s.Arguments[0] == "X25519"))
        {
            if (arguments.Length != 2 || Decode(arguments[1]) is not { Length: X25519.PointSize } share)
                throw Damaged();
            foreach (var identity in by.Identities)
            {
                if (SharedKey(identity.Key, share, share, identity.Recipient.Key) is { } key && TryUnwrap(key, body) is { } fileKey)
                    return fileKey;
            }
        }
        throw new AgeException(by.Identities.Count == 0 ? "it is encrypted to a public key, and no secret key was given" : "none of the secret keys given belongs to it") { IsWrongKey = true };
    }

    private static byte[]? SharedKey(ReadOnlySpan<byte> secret, ReadOnlySpan<byte> point, ReadOnlySpan<byte> share, ReadOnlySpan<byte> recipient)
    {
        var shared = new byte[X25519.PointSize];
        // False for a point of low order, by which anybody could know the outcome.
        return X25519.CalculateAgreement(secret.ToArray(), 0, point.ToArray(), 0, shared, 0)
            ? HKDF.DeriveKey(HashAlgorithmName.SHA256, shared, 32, [.. share, .. recipient], Encoding.ASCII.GetBytes(X25519Label))
            : null;
    }

    private static byte[] ScryptKey(byte[] passphrase, byte[] salt, int work) => SCrypt.Generate(passphrase, [.. Encoding.ASCII.GetBytes(ScryptLabel), .. salt], 1 << work, 8, 1, 32);

    // The key is used once, so that a nonce of zeros is right (the format's text).
    private static byte[] Wrap(byte[] key, ReadOnlySpan<byte> fileKey)
    {
        var sealedKey = new byte[FileKeyLength + TagLength];
        using var cipher = new ChaCha20Poly1305(key);
        cipher.Encrypt(new byte[12], fileKey, sealedKey.AsSpan(0, FileKeyLength), sealedKey.AsSpan(FileKeyLength));
        return sealedKey;
    }

    private static byte[]? TryUnwrap(byte[] key, byte[] body)
    {
        if (body.Length != FileKeyLength + TagLength)
            return null;
        var fileKey = new byte[FileKeyLength];
        using var cipher = new ChaCha20Poly1305(key);
        try
        {
            cipher.Decrypt(new byte[12], body.AsSpan(0, FileKeyLength), body.AsSpan(FileKeyLength), fileKey);
            return fileKey;
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
    }

    private static byte[] Mac(ReadOnlySpan<byte> fileKey, ReadOnlySpan<byte> covered) =>
        HMACSHA256.HashData(HKDF.DeriveKey(HashAlgorithmName.SHA256, fileKey.ToArray(), 32, [], "header"u8.ToArray()), covered);

    private static void AppendBody(StringBuilder text, byte[] body)
    {
        var encoded = Encode(body);
        for (var i = 0; i <= encoded.Length; i += Columns)
            text.Append(encoded.AsSpan(i, Math.Min(Columns, encoded.Length - i))).Append('\n');
    }

    private static async Task<byte[]> BodyAsync(Stream file, MemoryStream whole, CancellationToken ct)
    {
        var text = new StringBuilder();
        string line;
        do
        {
            line = await LineAsync(file, whole, ct);
            text.Append(line);
        }
        while (line.Length == Columns);
        return line.Length < Columns && Decode(text.ToString()) is { } body ? body : throw Damaged();
    }

    // Byte by byte, because the payload begins right after the header and is not to be taken with it.
    private static async Task<string> LineAsync(Stream file, MemoryStream whole, CancellationToken ct)
    {
        var (line, one) = (new StringBuilder(), new byte[1]);
        while (await file.ReadAsync(one, ct) == 1)
        {
            whole.WriteByte(one[0]);
            if (one[0] == '\n')
                return line.ToString();
            if (one[0] is < 0x20 or > 0x7e || whole.Length > MostBytes)
                break;
            line.Append((char)one[0]);
        }
        return whole.Length <= Version.Length || !Encoding.ASCII.GetString(whole.GetBuffer(), 0, Version.Length).Equals(Version, StringComparison.Ordinal) ? "" : throw Damaged();
    }

    private static AgeException Damaged() => new("its header is damaged");

    private static string Encode(byte[] data) => Convert.ToBase64String(data).TrimEnd('=');

    private static byte[]? Decode(string text)
    {
        // Only the one canonical form, without padding.
        if (text.Length % 4 == 1 || text.Contains('=', StringComparison.Ordinal))
            return null;
        var data = new byte[text.Length];
        return Convert.TryFromBase64String(text + new string('=', (4 - text.Length % 4) % 4), data, out var length) && Encode(data[..length]) == text ? data[..length] : null;
    }
}
