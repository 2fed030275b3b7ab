using Provisioner.Boot;
using Provisioner.Hosts;
using Provisioner.Installing;
using Provisioner.Networks;
using static Provisioner.Tests.Boot.BootFixture;

namespace Provisioner.Tests.Boot;

public sealed class BootDeciderTests
{
    [Theory]
    [InlineData(Architecture.Bios, ClientKind.Pxe, "undionly.kpxe")]
    [InlineData(Architecture.X64, ClientKind.Pxe, "snponly.efi")]
    [InlineData(Architecture.X64, ClientKind.HttpClient, "http://10.77.0.1:8080/boot/52-54-00-00-00-01/ipxe.efi")]
    [InlineData(Architecture.X64, ClientKind.Ipxe, "http://10.77.0.1:8080/boot.ipxe")]
    [InlineData(Architecture.Bios, ClientKind.Ipxe, "http://10.77.0.1:8080/boot.ipxe")]
    [InlineData(Architecture.X64, ClientKind.OwnIpxe, "http://10.77.0.1:8080/boot.ipxe")]
    public void A_host_to_be_installed_gets_the_file_its_firmware_can_run(Architecture architecture, ClientKind client, string file)
    {
        var decision = new BootFixture().Installing("n1").Decide(X64Mac, architecture, client);

        var boot = Assert.IsType<BootDecision.BootFile>(decision);
        Assert.Equal(file, boot.File);
        Assert.Contains("open Installation of debian-x64", boot.Reason);
    }

    [Theory]
    [InlineData(ClientKind.Pxe, "bootnetaa64.efi")]
    [InlineData(ClientKind.HttpClient, "http://10.77.0.1:8080/boot/52-54-00-00-00-02/bootnetaa64.efi")]
    public void Arm64_takes_the_images_shim_where_there_is_no_iPXE_for_it(ClientKind client, string file)
    {
        var boot = Assert.IsType<BootDecision.BootFile>(new BootFixture().Installing("n2").Decide(Arm64Mac, Architecture.Arm64, client));

        Assert.Equal(file, boot.File);
        Assert.Contains("no iPXE", boot.Reason);
    }

    [Fact]
    public void Arm64_takes_iPXE_where_there_is_one()
    {
        var site = new BootFixture { Loaders = new LoaderCatalogue([new Loader("snponly-arm64.efi", "/l", 1, "00", CpuArchitecture.Arm64)]) };

        Assert.Equal("snponly-arm64.efi", Assert.IsType<BootDecision.BootFile>(site.Installing("n2").Decide(Arm64Mac, Architecture.Arm64)).File);
    }

    /// <summary>A host without a disk boots its image for good; every other host boots its disk when its window is over.</summary>
    [Fact]
    public void A_host_without_a_disk_boots_its_image_after_its_window_as_well_until_it_is_cancelled_or_retired()
    {
        var site = new BootFixture().WithProfile("worker", p => p with { Install = new InstallOptions { Diskless = true } }).Installing("n1");
        var later = Now.AddDays(30);
        BootIntent Intend() => BootDecider.Intend(X64Mac, site.Snapshot, later);
        void Change(Func<Installation, Installation> change) => site.With(s => s with { Installations = s.Installations.SetItem("n1", change(s.Installations["n1"])) });

        // Provisioned while the profile was for disks: never.
        Assert.IsType<BootIntent.LocalDisk>(Intend());
        Change(i => i with { Diskless = true });
        foreach (var because in (string?[])[null, Installation.Installed, Installation.Enrolled])
        {
            Change(i => i with { ClosedBecause = because, ClosedAt = because is null ? null : Now });
            var install = Assert.IsType<BootIntent.Install>(Intend());
            Assert.Equal("n1 has no disk: it boots debian-x64, as it was provisioned on 2026-03-01", install.Reason);
            Assert.IsType<BootDecision.BootFile>(site.Decide(X64Mac, Architecture.X64));
        }
        // The profile is for disks now.
        site.WithProfile("worker", p => p with { Install = new InstallOptions() });
        Assert.IsType<BootIntent.LocalDisk>(Intend());
        site.WithProfile("worker", p => p with { Install = new InstallOptions { Diskless = true } });
        Assert.IsType<BootIntent.Install>(Intend());
        // Its image is gone: it says so.
        var images = site.Snapshot.Images;
        site.With(s => s with { Images = s.Images.Clear() });
        Assert.IsType<BootIntent.Blocked>(Intend());
        site.With(s => s with { Images = images });

        site.With(s => s with { Hosts = s.Hosts.SetItem("n1", s.Hosts["n1"] with { RetiredAt = Now }) });
        Assert.IsType<BootIntent.LocalDisk>(Intend());
        site.With(s => s with { Hosts = s.Hosts.SetItem("n1", s.Hosts["n1"] with { RetiredAt = null }) });
        Change(i => i with { ClosedBecause = Installation.Cancelled });
        Assert.IsType<BootIntent.LocalDisk>(Intend());
        Change(i => i with { ClosedBecause = "the host was retired" });
        Assert.IsType<BootIntent.LocalDisk>(Intend());
    }

    [Fact]
    public void A_loader_of_another_architecture_is_never_handed_out()
    {
        var site = new BootFixture { Loaders = new LoaderCatalogue([new Loader("snponly.efi", "/l", 1, "00", CpuArchitecture.Arm64)]) }
            .WithImage("debian-x64", _ => MakeImage("debian-x64", CpuArchitecture.X64));

        var none = Assert.IsType<BootDecision.NoBootFile>(site.Installing("n1").Decide(X64Mac, Architecture.X64));

        Assert.Contains("no iPXE for UEFI x64", none.Reason);
    }

    [Fact]
    public void The_shim_chain_hands_out_the_images_shim()
    {
        var site = new BootFixture().WithProfile("worker", p => p with { BootChain = BootChain.Shim }).Installing("n1");

        Assert.Equal("bootnetx64.efi", Assert.IsType<BootDecision.BootFile>(site.Decide(X64Mac, Architecture.X64)).File);
        Assert.Equal("undionly.kpxe", Assert.IsType<BootDecision.BootFile>(site.Decide(X64Mac, Architecture.Bios)).File);
    }

    [Fact]
    public void The_shim_chain_is_refused_where_GRUB_would_not_hear_of_us()
    {
        var site = new BootFixture().WithProfile("worker", p => p with { BootChain = BootChain.Shim }).Installing("n1");

        var none = Assert.IsType<BootDecision.NoBootFile>(site.Decide(X64Mac, Architecture.X64, mode: DhcpMode.Proxy));

        Assert.Contains("GRUB ignores proxyDHCP", none.Reason);
        Assert.IsType<BootDecision.BootFile>(site.Decide(X64Mac, Architecture.X64, ClientKind.HttpClient, mode: DhcpMode.Proxy));
    }

    [Fact]
    public void The_shim_chain_says_what_the_image_lacks()
    {
        var site = new BootFixture()
            .WithProfile("worker", p => p with { BootChain = BootChain.Shim })
            .WithImage("debian-x64", _ => MakeImage("debian-x64", CpuArchitecture.X64))
            .Installing("n1");

        Assert.Contains("brings no shim", Assert.IsType<BootDecision.NoBootFile>(site.Decide(X64Mac, Architecture.X64)).Reason);
    }

    [Fact]
    public void IPXE_without_HTTP_gets_its_script_by_TFTP() =>
        Assert.Equal("boot.ipxe", Assert.IsType<BootDecision.BootFile>(
            new BootFixture().Installing("n1").Decide(X64Mac, Architecture.Bios, ClientKind.Ipxe, ipxeHasHttp: false)).File);

    [Theory]
    [InlineData(Architecture.X86)]
    [InlineData(Architecture.Arm32)]
    [InlineData(Architecture.Unknown)]
    public void Firmware_without_a_loader_here_gets_no_file(Architecture architecture) =>
        Assert.IsType<BootDecision.NoBootFile>(new BootFixture().Decide(UnknownMac, architecture));

    [Fact]
    public void A_client_that_does_not_boot_gets_no_file() =>
        Assert.IsType<BootDecision.NoBootFile>(new BootFixture().Installing("n1").Decide(X64Mac, Architecture.Unknown, ClientKind.Plain));

    [Fact]
    public void A_host_that_asks_as_another_architecture_is_told_so()
    {
        var site = new BootFixture().Installing("n2");

        Assert.Contains("registered as aarch64 and asks as UEFI x64", site.Decide(Arm64Mac, Architecture.X64).Reason);
        var script = Assert.IsType<BootDecision.Script>(site.Decide(Arm64Mac, Architecture.X64, ClientKind.Ipxe, BootStep.IpxeScript));
        Assert.IsType<BootIntent.Blocked>(script.Intent);
    }

    [Fact]
    public void An_Installation_ends_with_its_window()
    {
        var site = new BootFixture().Installing("n1");
        site.Time.Advance(TimeSpan.FromHours(2));

        var script = Assert.IsType<BootDecision.Script>(site.Decide(X64Mac, Architecture.X64, ClientKind.Ipxe, BootStep.IpxeScript));

        Assert.IsType<BootIntent.LocalDisk>(script.Intent);
    }

    [Fact]
    public void A_closed_Installation_installs_nothing()
    {
        var site = new BootFixture().Installing("n1").With(s => s with
        {
            Installations = s.Installations.SetItem("n1", s.Installations["n1"] with { ClosedAt = Now, ClosedBecause = "cancelled" }),
        });

        Assert.IsType<BootIntent.LocalDisk>(BootDecider.Intend(X64Mac, site.Snapshot, Now));
    }

    [Theory]
    [InlineData(LocalBoot.Exit)]
    [InlineData(LocalBoot.Sanboot)]
    public void A_host_with_nothing_to_install_boots_its_disk_by_script(LocalBoot method)
    {
        var site = new BootFixture().WithHost("n1", h => h with { Boot = new BootOptions { Local = method } });

        Assert.Equal("snponly.efi", Assert.IsType<BootDecision.BootFile>(site.Decide(X64Mac, Architecture.X64)).File);
        var script = Assert.IsType<BootDecision.Script>(site.Decide(X64Mac, Architecture.X64, ClientKind.Ipxe, BootStep.IpxeScript));
        Assert.Equal(method, Assert.IsType<BootIntent.LocalDisk>(script.Intent).Method);
    }

    [Fact]
    public void A_Raspberry_Pi_that_is_built_boots_its_own_disk()
    {
        var site = new BootFixture().Installing("n2");
        Assert.Equal("bootcode.bin", Assert.IsType<BootDecision.BootFile>(site.Decide(Arm64Mac, Architecture.RaspberryPi)).File);
        // It knows no script that could send it on.
        Assert.IsType<BootDecision.NoBootFile>(new BootFixture().Decide(Arm64Mac, Architecture.RaspberryPi));
    }

    [Fact]
    public void Local_boot_by_404_answers_no_script()
    {
        var site = new BootFixture().WithProfile("worker", p => p with { Boot = new BootOptions { Local = LocalBoot.Http404 } });

        Assert.IsType<BootDecision.NoBootFile>(site.Decide(X64Mac, Architecture.X64, ClientKind.Ipxe, BootStep.IpxeScript));
        Assert.IsType<BootDecision.BootFile>(site.Decide(X64Mac, Architecture.X64, ClientKind.HttpClient));
    }

    [Fact]
    public void Local_boot_without_a_file_names_none_in_DHCP()
    {
        var site = new BootFixture().WithHost("n1", h => h with { Boot = new BootOptions { Local = LocalBoot.NoFile } });

        Assert.IsType<BootDecision.NoBootFile>(site.Decide(X64Mac, Architecture.X64));
        Assert.IsType<BootDecision.NoBootFile>(site.Decide(X64Mac, Architecture.X64, ClientKind.Ipxe));
        Assert.IsType<BootDecision.BootFile>(site.Installing("n1").Decide(X64Mac, Architecture.X64));
    }

    [Fact]
    public void The_hosts_own_boot_file_goes_before_the_profiles_and_the_rules()
    {
        var site = new BootFixture()
            .WithProfile("worker", p => p with { Boot = new BootOptions { File = "snponly.efi" } })
            .WithHost("n1", h => h with { Boot = new BootOptions { File = "ipxe.efi" } })
            .Installing("n1");

        Assert.Equal("ipxe.efi", Assert.IsType<BootDecision.BootFile>(site.Decide(X64Mac, Architecture.X64)).File);
        // What runs already is not loaded again, or it would be for ever.
        Assert.EndsWith("/boot.ipxe", Assert.IsType<BootDecision.BootFile>(site.Decide(X64Mac, Architecture.X64, ClientKind.Ipxe)).File, StringComparison.Ordinal);
    }

    [Fact]
    public void A_chosen_boot_file_that_does_not_exist_or_fit_is_refused_by_name()
    {
        var missing = new BootFixture().WithHost("n1", h => h with { Boot = new BootOptions { File = "nothing.efi" } }).Installing("n1");
        Assert.Contains("nothing.efi", Assert.IsType<BootDecision.NoBootFile>(missing.Decide(X64Mac, Architecture.X64)).Reason);

        var wrong = new BootFixture().WithHost("n2", h => h with { Boot = new BootOptions { File = "snponly.efi" } }).Installing("n2");
        Assert.Contains("is for x86_64", Assert.IsType<BootDecision.NoBootFile>(wrong.Decide(Arm64Mac, Architecture.Arm64)).Reason);
    }

    [Fact]
    public void A_missing_file_of_the_image_blocks_the_installation_and_says_which()
    {
        var site = new BootFixture().WithImage("debian-x64", i => i with { Status = new() }).Installing("n1");

        var script = Assert.IsType<BootDecision.Script>(site.Decide(X64Mac, Architecture.X64, ClientKind.Ipxe, BootStep.IpxeScript));

        Assert.Contains("no file linux", Assert.IsType<BootIntent.Blocked>(script.Intent).Reason);
    }

    [Fact]
    public void An_unknown_machine_waits_to_be_adopted()
    {
        var site = new BootFixture();

        Assert.Equal("snponly.efi", Assert.IsType<BootDecision.BootFile>(site.Decide(UnknownMac, Architecture.X64)).File);
        var script = Assert.IsType<BootDecision.Script>(site.Decide(UnknownMac, Architecture.X64, ClientKind.Ipxe, BootStep.IpxeScript));
        Assert.IsType<BootIntent.AwaitAdoption>(script.Intent);
    }

    [Fact]
    public void Every_question_of_every_client_has_an_answer_with_a_reason()
    {
        foreach (var site in new[] { new BootFixture(), new BootFixture().Installing("n1").Installing("n2"), new BootFixture { Loaders = LoaderCatalogue.Empty } })
            foreach (var mac in new[] { X64Mac, Arm64Mac, UnknownMac })
                foreach (var architecture in Enum.GetValues<Architecture>())
                    foreach (var client in Enum.GetValues<ClientKind>())
                        foreach (var step in Enum.GetValues<BootStep>())
                            foreach (var mode in Enum.GetValues<DhcpMode>())
                                Assert.NotEmpty(site.Decide(mac, architecture, client, step, mode).Reason);
    }
}
