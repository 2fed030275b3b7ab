using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Provisioner.Backup.Age;

/// <summary>
/// The payload of a file of age: pieces of 64 KiB, each sealed by ChaCha20-Poly1305 under a nonce that counts them and marks the last one, so that a
/// file that was cut, or whose pieces were changed in order, is noticed.
/// </summary>
internal static class AgePayload
{
    public const int ChunkLength = 64 * 1024;

    public const int TagLength = 16;

    public const int NonceLength = 16;

    public static ChaCha20Poly1305 Cipher(ReadOnlySpan<byte> fileKey, byte[] nonce) =>
        new(HKDF.DeriveKey(HashAlgorithmName.SHA256, fileKey.ToArray(), 32, nonce, "payload"u8.ToArray()));

    public static void SetNonce(Span<byte> nonce, long chunk, bool isLast)
    {
        nonce.Clear();
        BinaryPrimitives.WriteInt64BigEndian(nonce[3..], chunk);
        nonce[11] = isLast ? (byte)1 : (byte)0;
    }
}

/// <summary>Encrypts what is written to it. <see cref="CompleteAsync"/> ends the file; without it, what was written is not a whole one.</summary>
internal sealed class AgeWriter : Stream
{
    private readonly Stream output;
    private readonly ChaCha20Poly1305 cipher;
    private readonly byte[] plain = new byte[AgePayload.ChunkLength];
    private readonly byte[] crypt = new byte[AgePayload.ChunkLength + AgePayload.TagLength];
    private int filled;
    private long chunk;

    private AgeWriter(Stream output, ChaCha20Poly1305 cipher) => (this.output, this.cipher) = (output, cipher);

    /// <param name="output">Stays open.</param>
    public static async Task<AgeWriter> BeginAsync(Stream output, AgeLock to, CancellationToken ct)
    {
        var fileKey = RandomNumberGenerator.GetBytes(AgeHeader.FileKeyLength);
        var nonce = RandomNumberGenerator.GetBytes(AgePayload.NonceLength);
        await output.WriteAsync(AgeHeader.Write(fileKey, to), ct);
        await output.WriteAsync(nonce, ct);
        return new AgeWriter(output, AgePayload.Cipher(fileKey, nonce)) { FileKey = fileKey };
    }

    /// <summary>What opens this one file: for reading it back at once.</summary>
    public required byte[] FileKey { get; init; }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public async Task CompleteAsync(CancellationToken ct)
    {
        await SealAsync(isLast: true, ct);
        await output.FlushAsync(ct);
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (buffer.Length > 0)
        {
            // Only when more follows is it known that a full piece is not the last.
            if (filled == plain.Length)
                await SealAsync(isLast: false, cancellationToken);
            var length = Math.Min(buffer.Length, plain.Length - filled);
            buffer[..length].CopyTo(plain.AsMemory(filled));
            filled += length;
            buffer = buffer[length..];
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("It is written asynchronously.");

    public override void Flush()
    {
        // A piece is written when it is full, or the last.
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            cipher.Dispose();
            CryptographicOperations.ZeroMemory(plain);
        }
        base.Dispose(disposing);
    }

    private async Task SealAsync(bool isLast, CancellationToken ct)
    {
        Seal(isLast);
        await output.WriteAsync(crypt.AsMemory(0, filled + AgePayload.TagLength), ct);
        filled = 0;
    }

    private void Seal(bool isLast)
    {
        Span<byte> nonce = stackalloc byte[12];
        AgePayload.SetNonce(nonce, chunk++, isLast);
        cipher.Encrypt(nonce, plain.AsSpan(0, filled), crypt.AsSpan(0, filled), crypt.AsSpan(filled, AgePayload.TagLength));
    }
}

/// <summary>Decrypts as it is read; ends only where the file was ended. What it gives was verified.</summary>
internal sealed class AgeReader : Stream
{
    private readonly Stream input;
    private readonly ChaCha20Poly1305 cipher;
    private readonly byte[] crypt = new byte[AgePayload.ChunkLength + AgePayload.TagLength + 1];
    private readonly byte[] plain = new byte[AgePayload.ChunkLength];
    private int held;
    private int position;
    private int available;
    private long chunk;
    private bool ended;

    private AgeReader(Stream input, ChaCha20Poly1305 cipher) => (this.input, this.cipher) = (input, cipher);

    /// <exception cref="AgeException">It is no such file, is damaged, or is for another key.</exception>
    public static async Task<AgeReader> OpenAsync(Stream input, AgeUnlock by, CancellationToken ct) => await BeginAsync(input, await AgeHeader.ReadAsync(input, by, ct), ct);

    /// <summary>Reads a file back whose key is known; the header is passed over by its length.</summary>
    public static async Task<AgeReader> OpenAsync(Stream input, byte[] fileKey, CancellationToken ct)
    {
        // The header ends with the line that begins with three dashes.
        var (line, one) = (new List<byte>(), new byte[1]);
        while (await input.ReadAsync(one, ct) == 1)
        {
            line.Add(one[0]);
            if (one[0] != '\n')
                continue;
            if (line is [(byte)'-', (byte)'-', (byte)'-', ..])
                return await BeginAsync(input, fileKey, ct);
            line.Clear();
        }
        throw new AgeException("its header is cut short");
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (available == 0 && !ended)
            await NextAsync(cancellationToken);
        var length = Math.Min(available, buffer.Length);
        plain.AsMemory(position, length).CopyTo(buffer);
        position += length;
        available -= length;
        return length;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("It is read asynchronously.");

    public override void Flush() => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            cipher.Dispose();
            CryptographicOperations.ZeroMemory(plain);
        }
        base.Dispose(disposing);
    }

    private static async Task<AgeReader> BeginAsync(Stream input, byte[] fileKey, CancellationToken ct)
    {
        var nonce = new byte[AgePayload.NonceLength];
        return await input.ReadAtLeastAsync(nonce, nonce.Length, throwOnEndOfStream: false, ct) == nonce.Length ? new AgeReader(input, AgePayload.Cipher(fileKey, nonce))
            : throw new AgeException("it is cut short");
    }

    private async Task NextAsync(CancellationToken ct)
    {
        // One byte more than a piece: whether anything follows tells whether it is the last.
        held += await input.ReadAtLeastAsync(crypt.AsMemory(held), crypt.Length - held, throwOnEndOfStream: false, ct);
        var isLast = held < crypt.Length;
        var sealedLength = isLast ? held : held - 1;
        var length = sealedLength - AgePayload.TagLength;
        // Only a file of nothing ends with an empty piece.
        if (length < 0 || length == 0 && chunk > 0)
            throw new AgeException("it is cut short");
        Open(sealedLength, length, isLast);
        if (!isLast)
            crypt[0] = crypt[held - 1];
        held = isLast ? 0 : 1;
        (position, available, ended) = (0, length, isLast);
    }

    private void Open(int sealedLength, int length, bool isLast)
    {
        Span<byte> nonce = stackalloc byte[12];
        AgePayload.SetNonce(nonce, chunk++, isLast);
        try
        {
            cipher.Decrypt(nonce, crypt.AsSpan(0, length), crypt.AsSpan(length, sealedLength - length), plain.AsSpan(0, length));
        }
        catch (AuthenticationTagMismatchException e)
        {
            throw new AgeException(isLast ? "it is cut short, or damaged near its end" : $"it is damaged, within the 64 KiB from {(chunk - 1) * AgePayload.ChunkLength} on", e);
        }
    }
}
