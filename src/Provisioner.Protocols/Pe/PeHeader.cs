using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;

namespace Provisioner.Protocols.Pe;

/// <summary>
/// What the header of a PE/COFF image says: the format of every UEFI program (UEFI specification 2.10, §2.1.1) and of
/// kernels that UEFI can start. Microsoft "PE Format", sections "MS-DOS Stub" to "Optional Header Data Directories".
/// </summary>
/// <param name="Machine">The processor, as the COFF header's Machine field.</param>
/// <param name="Subsystem">10 UEFI application, 11 boot service driver, 12 runtime driver.</param>
/// <param name="IsSigned">An Authenticode signature is attached; whether firmware trusts it is not said.</param>
public readonly record struct PeHeader(PeMachine Machine, ushort Subsystem, bool IsSigned)
{
    /// <summary>How many bytes from a file's start are enough for every image found in the field.</summary>
    public const int EnoughBytes = 64 * 1024;

    private const int CoffHeaderSize = 24;
    private const ushort Pe32 = 0x10B;
    private const ushort Pe32Plus = 0x20B;

    /// <summary>An application or driver for UEFI, as opposed to one for another operating system.</summary>
    public bool IsEfi => Subsystem is >= 10 and <= 12;

    /// <summary>Reads the header from the first bytes of a file.</summary>
    /// <param name="start">The file's beginning; <see cref="EnoughBytes"/> or the whole file.</param>
    /// <param name="header">What it says.</param>
    /// <param name="reason">When false is returned: why this is no PE image.</param>
    /// <remarks>Any bytes at all may be given; nothing is thrown.</remarks>
    public static bool TryRead(ReadOnlySpan<byte> start, out PeHeader header, [NotNullWhen(false)] out string? reason)
    {
        header = default;
        if (start.Length < 0x40 || start[0] != 'M' || start[1] != 'Z')
        {
            reason = "it does not begin with an MZ header";
            return false;
        }
        var offset = BinaryPrimitives.ReadUInt32LittleEndian(start[0x3C..]);
        if (offset > (uint)start.Length || start.Length - (int)offset < CoffHeaderSize)
        {
            reason = $"its MZ header points to byte {offset} for the PE header, which is not there";
            return false;
        }
        var pe = start[(int)offset..];
        if (!pe.StartsWith("PE\0\0"u8))
        {
            reason = $"there is no PE signature at byte {offset}";
            return false;
        }
        var machine = (PeMachine)BinaryPrimitives.ReadUInt16LittleEndian(pe[4..]);
        var optionalSize = BinaryPrimitives.ReadUInt16LittleEndian(pe[20..]);
        var optional = pe[CoffHeaderSize..];
        if (optional.Length > optionalSize)
            optional = optional[..optionalSize];
        if (optional.Length < 70)
        {
            reason = "its PE header is cut short";
            return false;
        }
        var magic = BinaryPrimitives.ReadUInt16LittleEndian(optional);
        if (magic is not (Pe32 or Pe32Plus))
        {
            reason = $"its optional header is of kind 0x{magic:x}, neither PE32 nor PE32+";
            return false;
        }
        header = new PeHeader(machine, BinaryPrimitives.ReadUInt16LittleEndian(optional[68..]), HasCertificate(optional, magic));
        reason = null;
        return true;
    }

    /// <summary>Data directory 4, "Certificate Table", is present and not empty.</summary>
    private static bool HasCertificate(ReadOnlySpan<byte> optional, ushort magic)
    {
        var count = magic == Pe32 ? 92 : 108;
        var size = count + 4 + 4 * 8 + 4;
        return optional.Length >= size + 4
            && BinaryPrimitives.ReadUInt32LittleEndian(optional[count..]) > 4
            && BinaryPrimitives.ReadUInt32LittleEndian(optional[size..]) > 0;
    }
}

/// <summary>Machine types of the COFF header (Microsoft "PE Format", section "Machine Types").</summary>
public enum PeMachine : ushort
{
    /// <summary>Any, or not said.</summary>
    Unknown = 0,

    /// <summary>32-bit x86.</summary>
    I386 = 0x14C,

    /// <summary>32-bit Arm.</summary>
    Arm = 0x1C0,

    /// <summary>32-bit Arm, Thumb: what UEFI calls ARM.</summary>
    ArmThumb = 0x1C2,

    /// <summary>32-bit Arm, Thumb-2.</summary>
    ArmNt = 0x1C4,

    /// <summary>EFI byte code.</summary>
    Ebc = 0xEBC,

    /// <summary>64-bit RISC-V.</summary>
    RiscV64 = 0x5064,

    /// <summary>x86-64.</summary>
    Amd64 = 0x8664,

    /// <summary>64-bit Arm.</summary>
    Arm64 = 0xAA64,
}
