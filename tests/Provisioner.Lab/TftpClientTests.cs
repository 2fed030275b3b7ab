using System.Globalization;
using Provisioner.Lab.Harness;
using Provisioner.Lab.Peers;

namespace Provisioner.Lab;

/// <summary>
/// TFTP over a network card, as U-Boot does it. The lab's bridge has no checksum offload, so the kernel refuses to segment and the
/// windows leave datagram by datagram: the way that loopback never takes.
/// </summary>
public sealed class TftpClientTests
{
    /// <summary>Debian's U-Boot for this board brings its own, whatever the card has.</summary>
    private const string Mac = "52:52:52:52:52:52";

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    [Theory]
    [InlineData("initrd.gz", 1428, 16)]
    [InlineData("bootnetaa64.efi", 512, 1)]
    // Not 64: U-Boot asks for what it is told to, and its network driver holds 32 packets.
    [InlineData("grubaa64.efi", 1468, 8)]
    public async Task U_Boot_loads_a_file_octet_by_octet(string file, int blockSize, int windowSize)
    {
        Prerequisites.SkipWithout(Firmware.UefiArm64);
        Assert.SkipUnless(File.Exists(UBoot.Image), $"{UBoot.Image} is not installed (package u-boot-qemu)");
        await using var site = await Site.CreateAsync(Firmware.UefiArm64, SiteResources.Reserve);
        await site.RegisterAsync("board-1", Mac, "  address: 10.77.0.31");
        await using var board = await UBoot.StartAsync(site.Network, Mac, Limit);
        await board.DoAsync("setenv autoload no", Limit);
        var dhcp = await board.DoAsync("dhcp", Limit);
        Assert.True(dhcp.Contains("DHCP client bound to address 10.77.0.31", StringComparison.Ordinal),
            $"{dhcp}\n{Timeline.Describe(await site.Service.EventsAsync(Mac))}\n{site.Service.LogTail()}");
        await board.DoAsync($"setenv tftpblocksize {blockSize}", Limit);
        await board.DoAsync($"setenv tftpwindowsize {windowSize}", Limit);

        var said = await board.DoAsync($"tftpboot 0x42000000 {LabNetwork.Address}:images/{SiteImage.Installer(Firmware.UefiArm64).Name}/{file}", Limit);

        var content = await File.ReadAllBytesAsync(Path.Combine(Prerequisites.ImageArm64, file), TestContext.Current.CancellationToken);
        Assert.True(said.Contains($"Bytes transferred = {content.Length} ", StringComparison.Ordinal), $"{said}\n{Timeline.Describe(await site.Service.EventsAsync(Mac))}");
        var sum = Crc32(content).ToString("x8", CultureInfo.InvariantCulture);
        Assert.Contains($"==> {sum}", await board.DoAsync("crc32 0x42000000 $filesize", Limit), StringComparison.Ordinal);
        Assert.Contains(await site.Service.EventsAsync("board-1"), e =>
            e.What.StartsWith($"sent images/{SiteImage.Installer(Firmware.UefiArm64).Name}/{file}", StringComparison.Ordinal)
            && e.What.EndsWith($"blksize {blockSize} windowsize {windowSize}", StringComparison.Ordinal));
    }

    /// <summary>As U-Boot's <c>crc32</c> command computes it (IEEE 802.3).</summary>
    private static uint Crc32(ReadOnlySpan<byte> content)
    {
        var remainder = uint.MaxValue;
        foreach (var octet in content)
        {
            remainder ^= octet;
            for (var bit = 0; bit < 8; bit++)
                remainder = (remainder >> 1) ^ (0xEDB88320 & (0 - (remainder & 1)));
        }
        return ~remainder;
    }
}
