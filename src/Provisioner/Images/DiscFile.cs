using System.Buffers;
using System.Security.Cryptography;
using Provisioner.Protocols.Media;
using Provisioner.Resources;

namespace Provisioner.Images;

/// <summary>An ISO image that was received: whole, and what is known of it.</summary>
/// <param name="Path">Where it is now.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Sha256">Lower-case hexadecimal.</param>
/// <param name="Volume">What its volume descriptor says.</param>
internal sealed record DiscFile(string Path, long Size, string Sha256, IsoVolume Volume)
{
    private const int BufferSize = 256 * 1024;

    /// <summary>How often the room that is left is looked at.</summary>
    private const long SpaceStep = 64 << 20;

    /// <summary>Writes a stream to a file, hashing it on the way and refusing it as soon as it shows that it is no ISO image, or cut short.</summary>
    /// <param name="content">The ISO image.</param>
    /// <param name="path">A file that is not there yet.</param>
    /// <param name="announced">The size the sender names, or null.</param>
    /// <param name="limits">How much may come.</param>
    /// <param name="freeBytes">The room where it is written.</param>
    /// <exception cref="ChangeRefusedException">It is no whole ISO image, or there is no room; the caller removes the file.</exception>
    public static async Task<DiscFile> ReceiveAsync(
        Stream content, string path, long? announced, ImageLimits limits, Func<long> freeBytes, CancellationToken cancellation)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            await using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var filled = await content.ReadAtLeastAsync(buffer.AsMemory(0, BufferSize), IsoVolume.EnoughBytes, throwOnEndOfStream: false, cancellation);
            if (!IsoVolume.TryParse(buffer.AsSpan(0, filled), out var volume, out var reason))
                throw Refused($"This is no ISO image: {reason}");
            if (announced < volume.Bytes)
                throw CutShort(volume, announced.Value);
            using var implanted = volume.Implanted is null ? null : new ImplantedSum(volume);
            long size = 0;
            var nextLook = 0L;
            for (; filled > 0; filled = await content.ReadAsync(buffer.AsMemory(0, BufferSize), cancellation))
            {
                if (filled > limits.MaxBytes - size)
                    throw Refused($"The ISO image is larger than {limits.MaxBytes:N0} bytes, the most one image may have");
                if (size >= nextLook)
                {
                    if (freeBytes() < limits.KeepFreeBytes + SpaceStep)
                        throw ImageArchive.NoSpace("The ISO image", announced ?? volume.Bytes);
                    nextLook += SpaceStep;
                }
                await file.WriteAsync(buffer.AsMemory(0, filled), cancellation);
                hash.AppendData(buffer.AsSpan(0, filled));
                implanted?.Append(buffer.AsSpan(0, filled), size);
                size += filled;
            }
            if (announced is { } expected && expected != size)
                throw Refused($"The ISO image has {expected:N0} bytes, and {size:N0} came: it was cut short on its way here. Import it again");
            if (size < volume.Bytes)
                throw CutShort(volume, size);
            if (implanted?.Matches == false)
                throw Refused("The ISO image is damaged: it is not what the checksum implanted into it says (checkisomd5). Download it again");
            return new(path, size, Convert.ToHexStringLower(hash.GetHashAndReset()), volume);
        }
        catch (IOException exception) when (exception.HResult == ImageArchive.NoSpaceLeft)
        {
            throw ImageArchive.NoSpace("The ISO image", announced ?? 0);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static ChangeRefusedException CutShort(IsoVolume volume, long size) =>
        Refused($"The ISO image is cut short: its volume has {volume.Bytes:N0} bytes and the file {size:N0}. Download it again");

    private static ChangeRefusedException Refused(string message) => new(RefusalKind.Invalid, [new Mistake(message) { Path = "iso" }]);

    /// <summary>The MD5 of isomd5sum, of a stream: it ends before the image does, and takes the area it is written into for blanks.</summary>
    private sealed class ImplantedSum(IsoVolume volume) : IDisposable
    {
#pragma warning disable CA5351 // It finds damage of a medium, as its makers meant it; nobody is kept out by it.
        private readonly IncrementalHash md5 = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
#pragma warning restore CA5351

        private readonly long covers = volume.Implanted!.Value.Covers(volume.Bytes);

        public bool Matches => Convert.ToHexStringLower(md5.GetCurrentHash()) == volume.Implanted!.Value.Hex;

        /// <param name="part">The next bytes; blanks are written into them, so they are handed on before.</param>
        /// <param name="at">Where in the image they are.</param>
        public void Append(Span<byte> part, long at)
        {
            if (at >= covers)
                return;
            var areaEnd = volume.ApplicationAreaAt + IsoVolume.ApplicationAreaLength;
            var (from, to) = (Math.Max(at, volume.ApplicationAreaAt), Math.Min(at + part.Length, areaEnd));
            if (from < to)
                part[(int)(from - at)..(int)(to - at)].Fill((byte)' ');
            md5.AppendData(part[..(int)Math.Min(part.Length, covers - at)]);
        }

        public void Dispose() => md5.Dispose();
    }
}
