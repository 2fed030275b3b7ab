using System.Buffers.Binary;
using Provisioner.Protocols.Pe;

namespace Provisioner.Protocols.Tests.Pe;

/// <summary>The smallest PE32+ images with a true header.</summary>
internal static class PeImages
{
    public static byte[] Efi(PeMachine machine, bool signed = false)
    {
        var image = new byte[512];
        "MZ"u8.CopyTo(image);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x3C), 0x80);
        var pe = image.AsSpan(0x80);
        "PE\0\0"u8.CopyTo(pe);
        BinaryPrimitives.WriteUInt16LittleEndian(pe[4..], (ushort)machine);
        BinaryPrimitives.WriteUInt16LittleEndian(pe[20..], 240);
        var optional = pe[24..];
        BinaryPrimitives.WriteUInt16LittleEndian(optional, 0x20B);
        BinaryPrimitives.WriteUInt16LittleEndian(optional[68..], 10);
        BinaryPrimitives.WriteUInt32LittleEndian(optional[108..], 16);
        if (signed)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(optional[144..], 0x1000);
            BinaryPrimitives.WriteUInt32LittleEndian(optional[148..], 0x600);
        }
        return image;
    }
}
