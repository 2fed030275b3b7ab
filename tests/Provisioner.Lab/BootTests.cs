using Provisioner.Lab.Harness;

namespace Provisioner.Lab;

/// <summary>Real firmware powers on, asks the network, and is led to its kernel.</summary>
public sealed class BootTests
{
    private const string Mac = "52:54:00:77:00:01";

    public static TheoryData<string> Machines => [.. Enum.GetNames<Firmware>()];

    [Theory]
    [MemberData(nameof(Machines))]
    public async Task A_registered_server_boots_its_installer(string machine)
    {
        var firmware = Enum.Parse<Firmware>(machine);
        Prerequisites.SkipWithout(firmware);
        await using var site = await Site.CreateAsync(firmware, SiteResources.Reserve);
        await site.RegisterAsync("server-1", Mac);
        await site.Service.DoAsync("provision", "server-1");
        var server = site.AddServer(Mac);

        await server.PowerOnAsync();
        await site.WaitForAsync(server, Site.KernelStarted);

        var serial = server.Serial();
        Assert.Contains($"console={FirmwareFiles.Console(firmware)}", serial, StringComparison.Ordinal);
        if (firmware == Firmware.SecureBoot)
            Assert.Contains("secureboot: Secure boot enabled", serial, StringComparison.Ordinal);
        Timeline.AssertInOrder(await site.Service.EventsAsync("server-1"), StepsOf(firmware));
    }

    /// <summary>The way each firmware takes, as the appliance must have recorded it.</summary>
    private static Step[] StepsOf(Firmware firmware) => firmware switch
    {
        Firmware.UefiX64 =>
        [
            new("dhcp", "DISCOVER", "UEFI x64", "snponly.efi"),
            new("tftp", "snponly.efi"),
            new("dhcp", "DISCOVER", "boot.ipxe"),
            new("http", "boot.ipxe"),
            new("http", "linux"),
            new("http", "initrd.gz"),
        ],
        Firmware.SecureBoot =>
        [
            new("dhcp", "DISCOVER", "UEFI x64", "bootnetx64.efi"),
            new("tftp", "bootnetx64.efi"),
            new("tftp", "grubx64.efi"),
            new("tftp", "grub.cfg"),
            new("tftp", "linux"),
            new("tftp", "initrd.gz"),
        ],
        Firmware.UefiArm64 =>
        [
            new("dhcp", "DISCOVER", "UEFI arm64", "bootnetaa64.efi"),
            new("tftp", "bootnetaa64.efi"),
            new("tftp", "grubaa64.efi"),
            new("tftp", "grub.cfg"),
            new("tftp", "linux"),
            new("tftp", "initrd.gz"),
        ],
        Firmware.HttpBoot =>
        [
            new("dhcp", "DISCOVER", "UEFI x64", "ipxe.efi"),
            new("http", "HEAD", "ipxe.efi"),
            new("http", "GET", "ipxe.efi"),
            new("dhcp", "DISCOVER", "boot.ipxe"),
            new("http", "boot.ipxe"),
            new("http", "linux"),
            new("http", "initrd.gz"),
        ],
        Firmware.Bios =>
        [
            new("dhcp", "DISCOVER", "boot.ipxe"),
            new("http", "boot.ipxe"),
            new("http", "linux"),
            new("http", "initrd.gz"),
        ],
        _ => throw new ArgumentOutOfRangeException(nameof(firmware), firmware, null),
    };
}
