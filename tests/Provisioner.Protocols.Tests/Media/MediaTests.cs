using System.Buffers.Binary;
using System.Text;
using CsCheck;
using Provisioner.Protocols.Media;

namespace Provisioner.Protocols.Tests.Media;

public sealed class MediaTests
{
    private const string RedHat = """
        [checksums]
        images/pxeboot/initrd.img = sha256:0000000000000000000000000000000000000000000000000000000000000001
        images/pxeboot/vmlinuz = sha256:ABCDEF0000000000000000000000000000000000000000000000000000000002
        images/old.img = md5:00000000000000000000000000000003

        [general]
        ; WARNING.0 = This section provides compatibility with pre-productmd treeinfos.
        arch = x86_64
        family = Red Hat Enterprise Linux
        version = 9.4

        [header]
        type = productmd.treeinfo
        version = 1.2

        [images-x86_64]
        initrd = images/pxeboot/initrd.img
        kernel = images/pxeboot/vmlinuz

        [images-xen]
        kernel = images/xen/vmlinuz

        [release]
        name = Red Hat Enterprise Linux
        short = RHEL
        version = 9.4

        [stage2]
        mainimage = images/install.img

        [tree]
        arch = x86_64

        """;

    [Fact]
    public void Reads_treeinfo()
    {
        Assert.True(TreeInfo.TryParse(Encoding.UTF8.GetBytes(RedHat), out var info, out var reason), reason);
        Assert.Equal(("Red Hat Enterprise Linux", "9.4", "x86_64"), (info.Name, info.Version, info.Architecture));
        Assert.Equal(("images/pxeboot/vmlinuz", "images/pxeboot/initrd.img", "images/install.img"), (info.Kernel, info.Initrd, info.MainImage));
        Assert.Equal(2, info.Sha256.Count);
        Assert.Equal("abcdef0000000000000000000000000000000000000000000000000000000002", info.Sha256["images/pxeboot/vmlinuz"]);
    }

    [Fact]
    public void Reads_the_older_treeinfo()
    {
        Assert.True(TreeInfo.TryParse("[general]\r\nfamily=CentOS\r\nversion=7\r\narch=x86_64\r\n"u8, out var info, out var reason), reason);
        Assert.Equal(("CentOS", "7", "x86_64", null), (info.Name, info.Version, info.Architecture, info.Kernel));
    }

    [Fact]
    public void A_treeinfo_without_an_architecture_is_refused_by_its_name()
    {
        Assert.False(TreeInfo.TryParse("[release]\nname=X\nversion=1\n"u8, out _, out var reason));
        Assert.Equal(".treeinfo does not say arch in [tree], nor the older [general]", reason);
    }

    [Fact]
    public void Reads_discinfo()
    {
        Assert.True(DiscInfo.TryParse("1713453213.123456\nRed Hat Enterprise Linux 9.4\nx86_64\nALL\n"u8, out var info, out var reason), reason);
        Assert.Equal(("Red Hat Enterprise Linux", "9.4", "x86_64"), (info.Name, info.Version, info.Architecture));
        Assert.True(DiscInfo.TryParse("1713453213\nFedora\naarch64"u8, out info, out reason), reason);
        Assert.Equal(("Fedora", "", "aarch64"), (info.Name, info.Version, info.Architecture));
        Assert.False(DiscInfo.TryParse("[general]\nx\ny\n"u8, out _, out reason));
        Assert.Contains("a time, the release and the architecture", reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Ubuntu-Server 24.04.4 LTS \"Noble Numbat\" - Release amd64 (20260210)", "Ubuntu-Server", "24.04.4", "amd64")]
    [InlineData("Debian GNU/Linux 12.5.0 \"Bookworm\" - Official arm64 NETINST with firmware 20240210-11:27\n", "Debian GNU/Linux", "12.5.0", "arm64")]
    public void Reads_disk_info(string text, string name, string version, string architecture)
    {
        Assert.True(DiskInfo.TryParse(Encoding.UTF8.GetBytes(text), out var info, out var reason), reason);
        Assert.Equal((name, version, architecture), (info.Name, info.Version, info.Architecture));
    }

    [Theory]
    [InlineData("")]
    [InlineData("24.04")]
    [InlineData("Ubuntu-Server")]
    [InlineData("Ubuntu-Server 24.04 amd64")]
    [InlineData("Ubuntu-Server 24.04 - Release sparc")]
    public void Refuses_other_disk_infos(string text)
    {
        Assert.False(DiskInfo.TryParse(Encoding.UTF8.GetBytes(text), out _, out var reason));
        Assert.StartsWith(".disk/info names no ", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Reads_lists_of_sums()
    {
        Assert.True(ChecksumList.TryParse("d41d8cd98f00b204e9800998ECF8427e  ./casper/vmlinuz\n# a remark\nd41d8cd98f00b204e9800998ecf8427e *a b\r\n"u8, 32, out var sums, out var reason), reason);
        Assert.Equal(2, sums.Count);
        Assert.Equal("d41d8cd98f00b204e9800998ecf8427e", sums["casper/vmlinuz"]);
        Assert.True(sums.ContainsKey("a b"));
        Assert.False(ChecksumList.TryParse("d41d8cd98f00b204e9800998ecf8427e  a\nnonsense\n"u8, 32, out _, out reason));
        Assert.StartsWith("line 2 is not a sum", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Reads_the_volume_descriptor_and_the_implanted_checksum()
    {
        var image = Volume(blocks: 190, "ISO MD5SUM = 1CDD45914c61521b7cd2c64309e92984;SKIPSECTORS = 15;RHLISOSTATUS=1;");
        Assert.True(IsoVolume.TryParse(image, out var volume, out var reason), reason);
        Assert.Equal(new IsoVolume("RHEL-9-4-0", 190 * 2048, 32768, new ImplantedMd5("1cdd45914c61521b7cd2c64309e92984", 15)), volume);
        Assert.Equal(175 * 2048, volume.Implanted!.Value.Covers(volume.Bytes));
        Assert.Equal(33651, volume.ApplicationAreaAt);
    }

    [Fact]
    public void Refuses_what_is_no_volume()
    {
        Assert.False(IsoVolume.TryParse(new byte[IsoVolume.EnoughBytes], out _, out var reason));
        Assert.Contains("no ISO 9660 volume descriptor", reason, StringComparison.Ordinal);
        Assert.False(IsoVolume.TryParse(new byte[100], out _, out reason));
        Assert.Contains("it has 100 bytes", reason, StringComparison.Ordinal);
        var damaged = Volume(190, "");
        damaged[32768 + 84] = 1;
        Assert.False(IsoVolume.TryParse(damaged, out _, out reason));
        Assert.Contains("is damaged", reason, StringComparison.Ordinal);
        Assert.False(IsoVolume.TryParse(Volume(0, ""), out _, out reason));
        Assert.Contains("names 0 blocks", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_bytes_give_a_value_or_a_reason() =>
        Gen.Select(Gen.Byte.Array[0, 400], Gen.Int[0, RedHat.Length], Gen.Char["[]=;:\n\0 -19azé"].Array[0, 120]).Sample((bytes, cut, text) =>
        {
            foreach (var input in new[] { bytes, Encoding.UTF8.GetBytes(RedHat[..cut] + new string(text)), Encoding.UTF8.GetBytes(text), [.. Volume(7, "ISO MD5SUM = ;SKIPSECTORS = 9"), .. bytes] })
            {
                Assert.Equal(TreeInfo.TryParse(input, out _, out var reason), reason is null);
                Assert.Equal(DiscInfo.TryParse(input, out var disc, out reason), reason is null);
                if (reason is null)
                    Assert.Equal(disc.Release.Trim(), $"{disc.Name} {disc.Version}".Trim());
                Assert.Equal(DiskInfo.TryParse(input, out _, out reason), reason is null);
                Assert.Equal(ChecksumList.TryParse(input, 32, out _, out reason), reason is null);
                Assert.Equal(IsoVolume.TryParse(input, out _, out reason), reason is null);
            }
        }, iter: 2000);

    [Fact]
    public void Any_descriptor_gives_a_value_or_a_reason() =>
        Gen.Byte.Array[2048].Sample(bytes =>
        {
            var image = new byte[IsoVolume.EnoughBytes];
            bytes.CopyTo(image, 32768);
            image[32768] = 1;
            "CD001"u8.CopyTo(image.AsSpan(32769));
            Assert.Equal(IsoVolume.TryParse(image, out _, out var reason), reason is null);
            image.AsSpan(32768 + 80, 4).CopyTo(image.AsSpan(32768 + 84));
            image.AsSpan(32768 + 84, 4).Reverse();
            image.AsSpan(32768 + 128, 4).Clear();
            (image[32768 + 129], image[32768 + 130]) = (8, 8);
            Assert.True(IsoVolume.TryParse(image, out _, out reason) || image.AsSpan(32768 + 80, 4).IndexOfAnyExcept((byte)0) < 0, reason);
        }, iter: 300);

    private static byte[] Volume(uint blocks, string application)
    {
        var image = new byte[IsoVolume.EnoughBytes];
        var descriptor = image.AsSpan(32768);
        descriptor[0] = 1;
        "CD001"u8.CopyTo(descriptor[1..]);
        Encoding.ASCII.GetBytes("RHEL-9-4-0".PadRight(32)).CopyTo(descriptor[40..]);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor[80..], blocks);
        BinaryPrimitives.WriteUInt32BigEndian(descriptor[84..], blocks);
        BinaryPrimitives.WriteUInt16LittleEndian(descriptor[128..], 2048);
        BinaryPrimitives.WriteUInt16BigEndian(descriptor[130..], 2048);
        Encoding.ASCII.GetBytes(application.PadRight(512)).CopyTo(descriptor[883..]);
        return image;
    }
}
