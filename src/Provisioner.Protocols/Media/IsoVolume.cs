using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Provisioner.Protocols.Media;

/// <summary>What the primary volume descriptor of an ISO 9660 image says (ECMA-119 §8.4).</summary>
/// <param name="Label">The volume identifier.</param>
/// <param name="Bytes">How long the volume is: a file that is shorter was cut.</param>
/// <param name="DescriptorAt">Where in the file the descriptor begins.</param>
/// <param name="Implanted">The checksum implanted into it, or null.</param>
public readonly record struct IsoVolume(string Label, long Bytes, long DescriptorAt, ImplantedMd5? Implanted)
{
    /// <summary>Size of a sector of the medium, whatever the block size.</summary>
    public const int SectorSize = 2048;

    /// <summary>Enough of an image's beginning: the system area of 16 sectors, and as many descriptors as any image has in front.</summary>
    public const int EnoughBytes = 32 * SectorSize;

    /// <summary>Where the application's area begins in the descriptor, and its length (ECMA-119 §8.4.32).</summary>
    private const int ApplicationArea = 883, ApplicationLength = 512;

    /// <summary>Where in the file the application's area begins, which an implanted checksum takes for blanks.</summary>
    public long ApplicationAreaAt => DescriptorAt + ApplicationArea;

    /// <summary>The length of <see cref="ApplicationAreaAt"/>.</summary>
    public static int ApplicationAreaLength => ApplicationLength;

    /// <summary>Reads the descriptor from the beginning of an image.</summary>
    /// <param name="start">The file's beginning; <see cref="EnoughBytes"/> or the whole file.</param>
    /// <param name="volume">What it says.</param>
    /// <param name="reason">When false is returned: why this is no ISO image.</param>
    /// <remarks>Any bytes at all may be given; nothing is thrown.</remarks>
    public static bool TryParse(ReadOnlySpan<byte> start, out IsoVolume volume, [NotNullWhen(false)] out string? reason)
    {
        volume = default;
        const int PrimaryVolume = 1, Terminator = 255;
        for (var at = 16 * SectorSize; at + SectorSize <= start.Length; at += SectorSize)
        {
            var descriptor = start.Slice(at, SectorSize);
            // ECMA-119 §8.1: the type, "CD001", the version.
            if (!descriptor[1..].StartsWith("CD001"u8) || descriptor[0] == Terminator)
                break;
            if (descriptor[0] != PrimaryVolume)
                continue;
            var blocks = BinaryPrimitives.ReadUInt32LittleEndian(descriptor[80..]);
            var blockSize = BinaryPrimitives.ReadUInt16LittleEndian(descriptor[128..]);
            // Both are there in both byte orders (§7.2.3, §7.3.3): a descriptor that contradicts itself is damaged.
            if (blocks != BinaryPrimitives.ReadUInt32BigEndian(descriptor[84..]) || blockSize != BinaryPrimitives.ReadUInt16BigEndian(descriptor[130..]))
            {
                reason = $"its primary volume descriptor is damaged: it names {blocks} blocks of {blockSize} bytes in one byte order and another size in the other";
                return false;
            }
            if (blocks == 0 || blockSize is not (512 or 1024 or 2048))
            {
                reason = $"its primary volume descriptor names {blocks} blocks of {blockSize} bytes, and a volume has at least one of 512, 1024 or 2048";
                return false;
            }
            var label = Encoding.ASCII.GetString(descriptor.Slice(40, 32)).Trim(' ', '\0');
            volume = new(label, (long)blocks * blockSize, at, ImplantedMd5.Find(descriptor.Slice(ApplicationArea, ApplicationLength)));
            reason = null;
            return true;
        }
        reason = start.Length < 17 * SectorSize
            ? $"it has {start.Length} bytes, and the volume descriptors of an ISO 9660 image begin at {16 * SectorSize}"
            : "it has no ISO 9660 volume descriptor ('CD001' at 32769)";
        return false;
    }
}

/// <summary>
/// The checksum that <c>implantisomd5</c> writes into an image: the MD5 of its bytes but for the last sectors, with the
/// application's area taken for blanks.
/// </summary>
/// <param name="Hex">Lower-case hexadecimal.</param>
/// <param name="SkipSectors">How many sectors at the end do not count.</param>
public readonly record struct ImplantedMd5(string Hex, int SkipSectors)
{
    /// <summary>How many bytes from the beginning it covers.</summary>
    public long Covers(long volumeBytes) => Math.Max(0, volumeBytes - (long)SkipSectors * IsoVolume.SectorSize);

    internal static ImplantedMd5? Find(ReadOnlySpan<byte> area)
    {
        var text = Encoding.ASCII.GetString(area);
        string? hex = null;
        int? skip = null;
        foreach (var field in text.Split(';'))
        {
            var equals = field.IndexOf(" = ", StringComparison.Ordinal);
            if (equals < 0)
                continue;
            var value = field[(equals + 3)..].Trim();
            switch (field[..equals].Trim())
            {
                case "ISO MD5SUM" when value.Length == 32 && value.All(char.IsAsciiHexDigit):
                    hex = value.ToLowerInvariant();
                    break;
                case "SKIPSECTORS" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var sectors):
                    skip = sectors;
                    break;
            }
        }
        return hex is not null && skip is { } number ? new(hex, number) : null;
    }
}
