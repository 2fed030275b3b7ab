using System.Buffers.Binary;
using CsCheck;
using Provisioner.Protocols.Pe;

namespace Provisioner.Protocols.Tests.Pe;

public sealed class PeHeaderTests
{
    [Theory]
    [InlineData(PeMachine.Amd64)]
    [InlineData(PeMachine.Arm64)]
    [InlineData(PeMachine.I386)]
    [InlineData(PeMachine.ArmNt)]
    public void Reads_machine_and_subsystem(PeMachine machine)
    {
        Assert.True(PeHeader.TryRead(PeImages.Efi(machine), out var header, out var reason), reason);
        Assert.Equal(machine, header.Machine);
        Assert.True(header.IsEfi);
        Assert.False(header.IsSigned);
    }

    [Fact]
    public void Sees_a_signature() =>
        Assert.True(PeHeader.TryRead(PeImages.Efi(PeMachine.Amd64, signed: true), out var header, out _) && header.IsSigned);

    [Fact]
    public void Says_why_a_file_is_no_PE_image()
    {
        Assert.Equal("it does not begin with an MZ header", ReasonFor("#!ipxe\n"u8.ToArray()));
        var pointsOutside = PeImages.Efi(PeMachine.Amd64);
        BinaryPrimitives.WriteUInt32LittleEndian(pointsOutside.AsSpan(0x3C), 0xFFFF_FFFF);
        Assert.Equal("its MZ header points to byte 4294967295 for the PE header, which is not there", ReasonFor(pointsOutside));
        var noSignature = PeImages.Efi(PeMachine.Amd64);
        noSignature[0x80] = 0;
        Assert.Equal("there is no PE signature at byte 128", ReasonFor(noSignature));
        Assert.Equal("its PE header is cut short", ReasonFor(PeImages.Efi(PeMachine.Amd64)[..0xA0]));
        var oddKind = PeImages.Efi(PeMachine.Amd64);
        oddKind[0x80 + 24] = 7;
        Assert.Equal("its optional header is of kind 0x207, neither PE32 nor PE32+", ReasonFor(oddKind));
    }

    [Fact]
    public void Any_bytes_give_a_header_or_a_reason() =>
        Gen.Byte.Array[0, 600].Sample(bytes =>
        {
            var read = PeHeader.TryRead(bytes, out _, out var reason);
            Assert.Equal(read, reason is null);
        });

    [Fact]
    public void Any_damage_to_a_real_header_gives_a_header_or_a_reason() =>
        Gen.Select(Gen.Int[0, 511], Gen.Byte, Gen.Int[0, 63], Gen.Byte, Gen.Int[0, 512]).Sample((at, value, early, other, length) =>
        {
            var bytes = PeImages.Efi(PeMachine.Amd64, signed: true);
            bytes[at] = value;
            bytes[0x3C + early % 4] = other;
            var read = PeHeader.TryRead(bytes.AsSpan(0, length), out _, out var reason);
            Assert.Equal(read, reason is null);
        });

    private static string? ReasonFor(byte[] bytes)
    {
        Assert.False(PeHeader.TryRead(bytes, out _, out var reason));
        return reason;
    }
}
