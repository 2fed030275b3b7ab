using Provisioner.Boot;
using Provisioner.Installing;
using Provisioner.Profiles;
using Provisioner.Resources;
using Provisioner.Storage;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Certificates.Keys;

namespace Provisioner.Tests.Installing;

public sealed class InstallFieldsTests
{
    public static TheoryData<string> Kinds { get; } = [.. AnswerFixture.Kinds];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_is_written_is_read_back(string kind)
    {
        var profile = AnswerFixture.Context($"rhel-9/{kind}/x86_64").Profile;
        var yaml = ResourceWriter.ToYaml(profile);

        var read = ResourceReader.Read(yaml);

        Assert.Empty(read.Mistakes);
        Assert.Equal(yaml, ResourceWriter.ToYaml(read.Documents[0].Resource));
        // As it is stored.
        Assert.Equal(RecordJson.Write(profile), RecordJson.Write(RecordJson.Read<Profile>(RecordJson.Write(profile))));
    }

    [Fact]
    public void Every_mistake_is_told_at_once()
    {
        var read = ResourceReader.Read("""
            apiVersion: provisioner/v1
            kind: Profile
            metadata: {name: worker}
            spec:
              image: rhel-9
              install:
                timeZone: "Europe/Madrid; reboot"
                disk: {match: {minimumGiB: 0, paths: "../sda"}, layout: zfs, swap: 4}
                network: {vlan: 5000, bond: balance-rr}
                users:
                - {name: root, sshKeys: ["ssh-ed25519 AAAA"], passwordHash: hunter2}
                - {name: ops}
                proxy: http://user:secret@proxy.example.com
                mirror: cache:../ubuntu
                packages: ["-bash", "@core"]
                repositories: [{name: a b, url: "ftp://x", key: none}]
                firewall: {mode: "off", ports: ["0/tcp", "99999/udp", 22]}
                kernelArguments: ["a b"]
                after: "bell \a"
            """);

        string[] keys =
        [
            "spec.install.timeZone", "spec.install.disk.match.minimumGiB", "spec.install.disk.match.paths", "spec.install.disk.layout", "spec.install.disk.swap", "spec.install.network.vlan",
            "spec.install.network.bond", "spec.install.users[0].name", "spec.install.users[0].sshKeys[0]", "spec.install.users[0].passwordHash", "spec.install.users[1].sshKeys", "spec.install.proxy", "spec.install.mirror",
            "spec.install.packages[0]", "spec.install.packages[1]", "spec.install.repositories[0].name", "spec.install.repositories[0].url", "spec.install.repositories[0].key",
            "spec.install.firewall.ports[0]", "spec.install.firewall.ports[1]", "spec.install.firewall.ports[2]", "spec.install.kernelArguments[0]", "spec.install.after",
        ];
        Assert.Equal(keys.Order(), read.Mistakes.Select(m => m.Path!).Order());
        // A password in a URL is not repeated to everybody who sees the mistake's text; the value has its own place.
        Assert.All(read.Mistakes, m => Assert.NotNull(m.Expected));
    }

    [Theory]
    [InlineData("firewall: {ports: [9100/tcp]}", "spec.install.firewall", "mode: on")]
    [InlineData("selinux: enforcing", "spec.install.selinux", "enforcing")]
    [InlineData("selinux: disabled", "spec.install.selinux", "disabled")]
    [InlineData("disk: {}", "spec.install.disk", null)]
    [InlineData("firewall: {mode: \"off\"}", null, null)]
    [InlineData("kernelArguments: [quiet]", null, null)]
    public void What_a_diskless_host_cannot_have_is_refused_and_not_ignored(string line, string? path, string? value)
    {
        IReadOnlyList<Mistake> Read(bool diskless) => ResourceReader.Read($"""
            apiVersion: provisioner/v1
            kind: Profile
            metadata: @name: worker%
            spec:
              image: debian
              install:
                diskless: {(diskless ? "true" : "false")}
                {line}
            """.Replace('@', '{').Replace('%', '}')).Mistakes;

        Assert.Empty(Read(diskless: false));
        var mistakes = Read(diskless: true);
        if (path is null)
        {
            Assert.Empty(mistakes);
            return;
        }
        var mistake = Assert.Single(mistakes);
        Assert.Equal((path, value), (mistake.Path, mistake.Value));
        Assert.NotNull(mistake.Expected);
    }

    /// <summary>Each field of a text with each hostile value: refused, or rendered so that every reader still reads.</summary>
    [Fact]
    public void A_hostile_value_is_refused_or_rendered_right()
    {
        Tool.SkipWithout("/bin/dash");
        string[] hostile =
        [
            "'", "\"", "a b", "$HOME", "$(reboot)", "`id`", "a;b", "a && b", "a\nb", "\n%end", "%end", "ü", "🚀", "no", "on", "12:30", "0x10", "#a", "a#b", "-a", "--b", "a=b", "{{x}}", "a\\", "*", new string('x', 253),
            "cache:site", "cache:site/a b", "cache:site/$(id)", "cache:site/'", "cache:site/%27", "cache:files/a", "cache:/x", "cache:site/x?y", "http://x/'", "http://x/$(id)", "http://x/a b", "http://x/?a=1&b='2'", "C.UTF-8", "x_y", "a/../b",
        ];
        Func<InstallOptions, string, InstallOptions>[] fields =
        [
            (o, v) => o with { TimeZone = v }, (o, v) => o with { Locale = v }, (o, v) => o with { Keyboard = v }, (o, v) => o with { Ntp = [v] }, (o, v) => o with { Proxy = v }, (o, v) => o with { Packages = [v] },
            (o, v) => o with { KernelArguments = [v] }, (o, v) => o with { Before = v }, (o, v) => o with { After = v }, (o, v) => o with { Users = [new UserOptions { Name = v, SshKeys = [AnswerFixture.SshKey] }] },
            (o, v) => o with { Users = [new UserOptions { Name = "ops", SshKeys = [v] }] }, (o, v) => o with { Users = [new UserOptions { Name = "ops", SshKeys = [AnswerFixture.SshKey + v] }] },
            (o, v) => o with { Users = [new UserOptions { Name = "ops", PasswordHash = v }] }, (o, v) => o with { Disk = new DiskOptions { Match = new DiskMatch { Paths = [v] } } },
            (o, v) => o with { Disk = new DiskOptions { Match = new DiskMatch { Serials = [v] } } }, (o, v) => o with { Network = new NetworkOptions { SearchDomains = [v] } },
            (o, v) => o with { Firewall = new FirewallOptions { Ports = [v] } },
            (o, v) => o with { Mirror = v },
            (o, v) => o with { Repositories = [new PackageRepository { Name = v, Url = "http://x/", Key = AnswerFixture.PgpKey }] },
            (o, v) => o with { Repositories = [new PackageRepository { Name = "x", Url = v, Key = AnswerFixture.PgpKey }] },
            (o, v) => o with { Repositories = [new PackageRepository { Name = "x", Url = "http://x/", Key = v }] },
            (o, v) => o with { Repositories = [new PackageRepository { Name = "x", Url = "http://x/", Key = AnswerFixture.PgpKey, Suite = v, Components = [v] }] },
        ];
        var (refused, rendered) = (0, 0);
        using var directory = new TemporaryDirectory();
        var files = AnswerFixture.Files();
        foreach (var field in fields)
        {
            foreach (var value in hostile)
            {
                var profile = new Profile(new Metadata("worker"), new ProfileSpec { Image = "x", Install = field(new InstallOptions(), value) });
                if (ResourceReader.Read(ResourceWriter.ToYaml(profile)).Mistakes.Count > 0)
                {
                    refused++;
                    continue;
                }
                rendered++;
                foreach (var release in (string[])["rhel-8", "rhel-10", "ubuntu-24.04", "debian-12-diskless"])
                {
                    var diskless = release.EndsWith("diskless", StringComparison.Ordinal);
                    var options = profile.Spec.Install! with { Diskless = diskless };
                    var context = AnswerFixture.Context(AnswerFixture.Image(release, CpuArchitecture.X64), diskless ? options with { Disk = null, Mirror = null } : options);
                    // YAML is read back by Render itself.
                    foreach (var name in (string[])["ks.cfg", "meta-data", "user-data"])
                    {
                        if (AnswerFiles.Has(context, name) && name == "ks.cfg")
                            Assert.Empty(KickstartGrammar.Mistakes(files.Render(context, name), release == "rhel-8" ? 8 : 10));
                        else if (AnswerFiles.Has(context, name))
                            files.Render(context, name);
                    }
                    File.WriteAllText(directory["script"], string.Join('\n', AnswerScriptsTests.Scripts(context, files)));
                    Tool.Run("/bin/dash", "-n", directory["script"]);
                }
            }
        }
        Assert.True(refused > 400, $"{refused} refused");
        Assert.True(rendered > 80, $"{rendered} rendered");
    }

    [Theory]
    [InlineData("cache:ubuntu", null)]
    [InlineData("cache:rocky9/$releasever/BaseOS/$basearch/os/", null)]
    [InlineData("https://mirror.example.com/ubuntu", null)]
    [InlineData("cache:", "names no upstream")]
    [InlineData("cache:Ubuntu", "names no upstream")]
    [InlineData("cache:files/a", "single files")]
    [InlineData("cache:up/a//b", "empty part")]
    [InlineData("cache:up/../b", "dot segment")]
    [InlineData("cache:up/a%20b", "has a %")]
    [InlineData("cache:up/$HOME", "0x24")]
    [InlineData("cache:up?x", "names no upstream")]
    [InlineData("http://user:secret@x/", "password")]
    public void A_source_of_packages_is_a_url_or_a_name_in_the_cache(string text, string? wrong)
    {
        if (wrong is null)
            Assert.Null(PackageSource.Wrong(text));
        else
            Assert.Contains(wrong, PackageSource.Wrong(text), StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_profile_is_right_at_another_site()
    {
        var here = AnswerFixture.Context("ubuntu-24.04/cache/x86_64");
        var there = here with { SeedRoot = "http://10.88.0.1:8081/seed/c0ffee", Upstreams = [.. here.Upstreams, "more"] };

        var text = AnswerFixture.Files().Render(there, "user-data");

        Assert.Contains("http://10.88.0.1:8081/artifacts/ubuntu", text, StringComparison.Ordinal);
        Assert.DoesNotContain("10.77.0.1:8080/artifacts", text, StringComparison.Ordinal);
    }

    [Fact]
    public void What_this_appliance_has_no_upstream_for_is_refused()
    {
        var context = AnswerFixture.Context("rhel-9/cache/x86_64") with { Upstreams = ["rocky9", "nodeadm"] };

        var e = Assert.Throws<SeedRefusedException>(() => AnswerFixture.Files().Render(context, "ks.cfg"));

        Assert.Contains("takes packages from cache:docker-rhel/$releasever/$basearch/stable/, and this appliance's artifacts.upstreams have no 'docker-rhel'; there are nodeadm, rocky9", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_mirror_is_for_distributions_whose_archive_is_one()
    {
        var context = AnswerFixture.Context("debian-12-diskless/cache/x86_64");
        context = context with { Profile = context.Profile with { Spec = context.Profile.Spec with { Install = context.Profile.Spec.Install! with { Mirror = "cache:site" } } } };

        Assert.Contains("name the archives in repositories", Assert.Throws<SeedRefusedException>(() => AnswerFixture.Files().Render(context, "user-data")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_host_and_a_profile_that_do_not_go_together_are_refused_with_every_reason()
    {
        var context = AnswerFixture.Context("rhel-9/bond-vlan-static/x86_64");
        var host = context.Host with { Spec = context.Host.Spec with { Address = null, Install = new HostInstall { Disk = new DiskMatch { Serials = ["A", "B"] } } } };

        var e = Assert.Throws<SeedRefusedException>(() => AnswerFixture.Files().Render(context with { Host = host }, "ks.cfg"));

        Assert.Contains("2 disks are named, but the profile's layout takes one", e.Message);
        Assert.Contains("neither spec.address nor spec.install.network.address", e.Message);
    }

    [Fact]
    public void An_image_without_an_unattended_installation_is_told_when_the_profile_is_applied()
    {
        var image = AnswerFixture.Image("debian-12", CpuArchitecture.X64);
        var profile = new Profile(new Metadata("worker"), new ProfileSpec { Image = image.Name, Install = new InstallOptions() });
        var snapshot = Snapshot.Empty with { Images = Snapshot.Empty.Images.Add(image.Name, image) };

        var mistake = Assert.Single(new References(snapshot, [new ResourceDocument(profile, 1)]).Check());

        Assert.Equal("spec.install", mistake.Path);
        Assert.Contains("debian 12, which has no unattended installation here", mistake.Message);
    }
}
