using Provisioner.Boot;
using Provisioner.Images;
using Provisioner.Installing;
using Provisioner.Protocols;
using Provisioner.Tests.Installing;

namespace Provisioner.Benchmarks.Seeds;

/// <summary>A profile with a bit of everything: LVM, a bond with a VLAN, users, packages and a repository, firewall, scripts.</summary>
internal static class FullProfile
{
    public static InstallOptions Options(bool diskless)
    {
        var full = AnswerFixture.Options("full");
        return (diskless ? AnswerFixture.Diskless(full) : full) with
        {
            Disk = diskless ? null : new DiskOptions { Layout = DiskLayout.Lvm, Filesystem = RootFilesystem.Ext4, Match = new DiskMatch { Choose = DiskOrder.Largest, MinimumGiB = 100 } },
            Network = full.Network! with { Mode = AddressMode.Static, Bond = BondMode.Lacp, Vlan = 120, Mtu = 9000 },
        };
    }

    /// <summary>With what it boots with, as after an import.</summary>
    public static Image Image(string release)
    {
        var image = AnswerFixture.Image(release, CpuArchitecture.X64);
        return image with
        {
            Spec = image.Spec with { Initrd = ["initrd.img"] },
            Status = new ImageStatus { Files = [.. image.Status.Files, new ImageFile("vmlinuz", 14_000_000, "bb", CpuArchitecture.X64), new ImageFile("initrd.img", 90_000_000, "cc", null)] },
        };
    }

    /// <summary>Of a host with that profile and image.</summary>
    public static SeedContext Context(string release, bool diskless) => AnswerFixture.Context(Image(release), Options(diskless), host => host with
    {
        Install = new HostInstall
        {
            Network = new HostNetwork
            {
                Address = Ipv4Address.Parse("192.0.2.21"),
                Prefix = 26,
                Gateway = Ipv4Address.Parse("192.0.2.1"),
                BondMembers = [host.MacAddresses[0], host.MacAddresses[1]],
            },
        },
    });
}
