using System.Text;
using CsCheck;
using Provisioner.Boot;
using Provisioner.Certificates;
using Provisioner.Images;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Storage;
using Provisioner.Templates;
using static Provisioner.Tests.Boot.BootFixture;

namespace Provisioner.Tests.Boot;

public sealed class BootCatalogueTests
{
    private static readonly Ipv4Address ClientAddress = Ipv4Address.Parse("10.77.0.50");
    private static readonly BootClient Client = new(ClientAddress, new BootEndpoint(Ipv4Address.Parse("10.77.0.1"), 8080));

    private static readonly string[] Prefixes = ["", "boot/", "images/debian-x64/", "boot/525400000001/", "grub.cfg-01-"];

    private readonly AddressBook addresses = new();

    [Theory]
    [InlineData("boot.ipxe")]
    [InlineData("/boot.ipxe")]
    [InlineData("//boot.ipxe")]
    [InlineData("\\boot.ipxe")]
    [InlineData("autoexec.ipxe")]
    [InlineData("boot.ipxe.0")]
    public void The_first_script_answers_to_every_way_of_writing_its_name(string name) =>
        Assert.StartsWith("#!ipxe\n", TextOf(name), StringComparison.Ordinal);

    [Fact]
    public void The_first_script_goes_on_by_HTTP_and_by_TFTP_where_iPXE_has_no_HTTP()
    {
        Assert.Contains("chain --replace http://10.77.0.1:8080/boot/", TextOf("boot.ipxe"));
        Assert.DoesNotContain("tftp://", TextOf("boot.ipxe"));
        Assert.Contains("chain --replace http://10.77.0.1:8080/boot/", TextOf("boot.ipxe", Client with { TftpPort = 69 }));
        Assert.Contains("chain --replace tftp://10.77.0.1/boot/", TextOf("boot.ipxe", Client with { TftpPort = 69 }));
        Assert.Contains("chain --replace tftp://10.77.0.1:6969/boot/", TextOf("boot.ipxe", Client with { TftpPort = 6969 }));
    }

    [Theory]
    [InlineData("boot/52-54-00-00-00-01/boot.ipxe")]
    [InlineData("boot/52:54:00:00:00:01/boot.ipxe")]
    [InlineData("boot/525400000001/autoexec.ipxe")]
    public void A_machine_gets_its_own_script(string name) => Assert.Contains("kernel http://10.77.0.1:8080/images/debian-x64/linux", TextOf(name));

    [Theory]
    [InlineData("boot/52:54:00:00:00:02/grub.cfg")]
    [InlineData("debian-installer/arm64/grub/grub.cfg-01-52-54-00-00-00-02")]
    [InlineData("EFI/BOOT/grub.cfg-01-52-54-00-00-00-02")]
    public void GRUB_gets_the_machines_script_by_its_MAC_address(string name) => Assert.Contains("linux '/images/debian-arm64/linux'", TextOf(name));

    [Theory]
    [InlineData("debian-installer/amd64/grub/grub.cfg")]
    [InlineData("grub/grub.cfg")]
    [InlineData("grub.cfg")]
    public void GRUB_gets_the_first_script_under_any_prefix(string name) => Assert.Contains("configfile /boot/$net_default_mac/grub.cfg", TextOf(name));

    [Fact]
    public void A_wrong_architecture_that_iPXE_reports_is_shown_instead_of_booted()
    {
        var text = TextOf("boot/52-54-00-00-00-01/boot.ipxe", query: "arch=arm64&platform=efi");

        Assert.Contains("cannot be installed", text);
        Assert.DoesNotContain("kernel", text);
    }

    [Fact]
    public void Files_of_an_image_are_served_from_its_generation()
    {
        var asset = Assert.IsType<BootAsset.OnDisk>(Find("images/debian-x64/linux").Asset);

        Assert.Equal("/data/images/debian-x64/g1/linux", asset.Path);
        Assert.Equal(8_000_000, asset.Length);
    }

    [Theory]
    [InlineData("grubx64.efi", "debian-x64")]
    [InlineData("GRUBX64.EFI", "debian-x64")]
    [InlineData("grubaa64.efi", "debian-arm64")]
    public void Shims_next_file_is_found_by_its_name_alone(string name, string image) =>
        Assert.Contains($"/{image}/", Assert.IsType<BootAsset.OnDisk>(Find(name).Asset).Path);

    [Fact]
    public void The_asking_hosts_image_decides_whose_GRUB_it_gets()
    {
        Site.WithProfile("worker", p => p with { Image = "zz-other" })
            .With(s => s with { Images = s.Images.Add("zz-other", MakeImage("zz-other", CpuArchitecture.X64, "bootnetx64.efi", "grubx64.efi")) });
        addresses.Learn(ClientAddress, X64Mac);
        var before = Assert.IsType<BootAsset.OnDisk>(Find("grubx64.efi").Asset).Path;

        Assert.Contains("/debian-x64/", before); // the open Installation still names the old image

        Site.With(s => s with { Installations = s.Installations.Clear() });
        Assert.Contains("/zz-other/", Assert.IsType<BootAsset.OnDisk>(Find("grubx64.efi").Asset).Path);
    }

    [Theory]
    [InlineData("debian-installer/amd64/grub/x86_64-efi/fs.lst")]
    [InlineData("/grub/x86_64-efi/fs.lst")]
    [InlineData("1a2b3c4d/grub/x86_64-efi/fs.lst")]
    public void What_is_built_in_front_of_a_name_is_dropped_for_a_known_host(string name)
    {
        Site.WithImage("debian-x64", i => i with { Status = i.Status with { Files = i.Status.Files.Add(new("grub/x86_64-efi/fs.lst", 9, "ee", null)) } });
        Assert.NotNull(Find(name).Refusal);

        addresses.Learn(ClientAddress, X64Mac);

        Assert.Equal("/data/images/debian-x64/g1/grub/x86_64-efi/fs.lst", Assert.IsType<BootAsset.OnDisk>(Find(name).Asset).Path);
    }

    [Fact]
    public void Loaders_are_found_whatever_their_case() =>
        Assert.Equal("/loaders/snponly.efi", Assert.IsType<BootAsset.OnDisk>(Find("SNPONLY.EFI").Asset).Path);

    [Fact]
    public void A_host_that_boots_its_disk_by_404_gets_neither_loader_nor_script()
    {
        Site.With(s => s with { Installations = s.Installations.Clear() }).WithHost("n1", h => h with { Boot = new BootOptions { Local = LocalBoot.Http404 } });

        Assert.Contains("own disk", Find("boot/52-54-00-00-00-01/ipxe.efi").Refusal);
        Assert.Contains("own disk", Find("boot/52-54-00-00-00-01/boot.ipxe").Refusal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("../../etc/passwd")]
    [InlineData("images/debian-x64/../../../etc/passwd")]
    [InlineData("images/debian-x64")]
    [InlineData("images/../etc/passwd")]
    [InlineData("images/nothing/linux")]
    [InlineData("images/debian-x64/nothing")]
    [InlineData("boot/not-a-mac/boot.ipxe")]
    [InlineData("boot/52-54-00-00-00-01")]
    [InlineData("grub/grub.cfg-0A4D0001")]
    [InlineData("revocations_sbat.efi")]
    [InlineData("/etc/passwd")]
    public void What_is_not_in_the_catalogue_is_refused_with_a_reason(string name) => Assert.NotEmpty(Find(name).Refusal!);

    [Fact]
    public void Any_name_and_query_are_answered_without_an_exception_and_only_from_the_catalogue() =>
        Gen.Select(Gen.String, Gen.Int[0, 4].Select(i => Prefixes[i]), Gen.String).Sample((name, prefix, query) =>
        {
            var found = Find(prefix + name, query: query);
            return found.Asset is not BootAsset.OnDisk onDisk
                || onDisk.Path.StartsWith("/loaders/", StringComparison.Ordinal)
                || onDisk.Path.StartsWith("/data/images/debian-", StringComparison.Ordinal) && !onDisk.Path.Contains("..", StringComparison.Ordinal);
        });

    private BootFixture Site { get; } = new BootFixture().Installing("n1").Installing("n2");

    private BootLookup Find(string name, BootClient? client = null, string? query = null)
    {
        var state = new CurrentState();
        state.Publish(Site.Snapshot);
        return new BootCatalogue(state, addresses, new BootDecider(Site.Loaders), Site.Loaders, new BootScripts(Engine), new ImageStore("/data/images"), new PublishedCertificates(state, new ServedRevocationLists()), Site.Time)
            .Find(name, client ?? Client, query);
    }

    private static TemplateEngine Engine { get; } = new();

    private string TextOf(string name, BootClient? client = null, string? query = null)
    {
        var lookup = Find(name, client, query);
        return Encoding.UTF8.GetString(Assert.IsType<BootAsset.InMemory>(lookup.Asset).Content.Span);
    }
}
