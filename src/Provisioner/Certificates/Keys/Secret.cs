using System.Buffers.Text;
using System.Security.Cryptography;

namespace Provisioner.Certificates.Keys;

/// <summary>A passphrase or a PIN in memory: zeroed when disposed, in no message, in one place only.</summary>
internal sealed class Secret : IDisposable
{
    public const int MaxLength = 4096;

    private readonly byte[] bytes;
    private bool disposed;

    private Secret(byte[] bytes, string origin)
    {
        this.bytes = bytes;
        Origin = origin;
    }

    /// <summary>Where it came from, for messages: "the file '/etc/…'".</summary>
    public string Origin { get; }

    public ReadOnlySpan<byte> Bytes
    {
        get
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            return bytes;
        }
    }

    /// <summary>
    /// Reads one line. A line's end is no part of a secret, because editors and <c>echo</c> add one; more lines are refused, because
    /// <c>openssl -passin file:</c> would take the first alone and could not open what was made with all.
    /// </summary>
    /// <param name="what">What it is, as the beginning of a sentence: "The CA's passphrase".</param>
    /// <param name="missing">What to do when it is not there, as a sentence.</param>
    /// <exception cref="KeyStoreException">The file is not private, or does not hold a secret.</exception>
    public static Secret Read(string path, string what, string missing, bool isCredential = false)
    {
        var content = PrivateFile.Read(path, MaxLength + 2, what, missing, isCredential);
        try
        {
            var line = content.AsSpan();
            if (line is [.., (byte)'\n'])
                line = line[..^1];
            if (line is [.., (byte)'\r'])
                line = line[..^1];
            if (line.IsEmpty)
                throw new KeyStoreException($"{what} '{path}' is empty. Put the secret into it, as one line.");
            if (line.Length > MaxLength)
                throw new KeyStoreException($"{what} '{path}' is {line.Length} bytes long, more than the {MaxLength} it may have.");
            if (line.IndexOfAny((byte)'\n', (byte)0) >= 0)
                throw new KeyStoreException($"{what} '{path}' has more than one line, or a zero byte. A secret is one line of text; random bytes go in as base64.");
            return Of(line, $"{(isCredential ? "the credential" : "the file")} '{path}'");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(content);
        }
    }

    /// <summary>Makes a secret nobody knows, 32 random bytes as base64, and keeps it in a new file.</summary>
    /// <exception cref="KeyStoreException">It cannot be written.</exception>
    public static Secret Make(string path, string what)
    {
        Span<byte> random = stackalloc byte[32];
        var line = GC.AllocateArray<byte>(Base64.GetMaxEncodedToUtf8Length(random.Length) + 1, pinned: true);
        try
        {
            RandomNumberGenerator.Fill(random);
            Base64.EncodeToUtf8(random, line, out _, out var written);
            line[written] = (byte)'\n';
            PrivateFile.Write(path, line, what);
            return Of(line.AsSpan(0, written), $"the file '{path}'");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(random);
            CryptographicOperations.ZeroMemory(line);
        }
    }

    public override string ToString() => $"(secret from {Origin})";

    public void Dispose()
    {
        disposed = true;
        CryptographicOperations.ZeroMemory(bytes);
    }

    private static Secret Of(ReadOnlySpan<byte> bytes, string origin)
    {
        var kept = GC.AllocateArray<byte>(bytes.Length, pinned: true);
        bytes.CopyTo(kept);
        return new Secret(kept, origin);
    }
}
