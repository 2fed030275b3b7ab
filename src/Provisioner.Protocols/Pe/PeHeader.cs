using System.Buffers.Binary;

namespace Provisioner.Protocols.Pe;

/// <summary>Machine types of the PE format that a boot loader may have.</summary>
public enum PeMachine : ushort
{
    /// <summary>32-bit x86.</summary>
    I386 = 0x014C,

    /// <summary>32-bit Arm.</summary>
    Arm = 0x01C0,

    /// <summary>32-bit Arm, Thumb-2: what UEFI calls ARM.</summary>
    ArmThumb = 0x01C2,

    /// <summary>x86-64.</summary>
    Amd64 = 0x8664,

    /// <summary>64-bit Arm.</summary>
    Arm64 = 0xAA64,
}

/// <summary>Reads the one field of a PE header that decides whether a firmware can run the file.</summary>
public static class PeHeader
{
    /// <summary>Reads the machine type. Any bytes at all: never throws.</summary>
    /// <param name="file">The beginning of the file, or all of it.</param>
    /// <param name="machine">The machine type as written, which may be none of the named ones.</param>
    /// <param name="reason">Why it is no PE file; null on success.</param>
    public static bool TryReadMachine(ReadOnlySpan<byte> file, out PeMachine machine, out string? reason)
    {
        machine = default;
        if (file.Length < 64 || file[0] != 'M' || file[1] != 'Z')
        {
            reason = "it does not begin with an MZ header";
            return false;
        }
        var offset = BinaryPrimitives.ReadUInt32LittleEndian(file[0x3C..]);
        if (offset > file.Length - 6)
        {
            reason = $"its PE header would be at {offset}, past what there is of the file ({file.Length} bytes)";
            return false;
        }
        var header = file[(int)offset..];
        if (header[0] != 'P' || header[1] != 'E' || header[2] != 0 || header[3] != 0)
        {
            reason = $"there is no PE signature at {offset}";
            return false;
        }
        machine = (PeMachine)BinaryPrimitives.ReadUInt16LittleEndian(header[4..]);
        reason = null;
        return true;
    }
}
