using Provisioner.Boot;
using Provisioner.Images;
using Provisioner.Installing;
using Provisioner.Protocols;
using Provisioner.Templates;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Certificates.Keys;
using static Provisioner.Tests.Boot.BootFixture;

namespace Provisioner.Tests.Boot;

public sealed class BootScriptsTests
{
    private const string Root = "http://10.77.0.1:8080";

    private static readonly BootEndpoint At = new(Ipv4Address.Parse("10.77.0.1"), 8080);
    private readonly BootScripts scripts = new(new TemplateEngine());

    [Fact]
    public void The_first_scripts()
    {
        Golden.Match(scripts.FirstIpxe([Root]), "first.ipxe");
        Golden.Match(scripts.FirstGrub(), "first.cfg");
    }

    public static TheoryData<string> Cases { get; } = new("install", "install-many-initrds", "local-exit", "local-sanboot", "waiting", "blocked");

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_scripts_of_one_machine(string name)
    {
        var intent = IntentOf(name);
        Golden.Match(scripts.Ipxe(intent, X64Mac, Root, At), $"{name}.ipxe");
        Golden.Match(scripts.Grub(intent, X64Mac, At), $"{name}.cfg");
    }

    [Fact]
    public void A_value_that_iPXE_cannot_quote_is_refused_by_name()
    {
        var site = new BootFixture().WithHost("n1", h => h with { Boot = new BootOptions { KernelArguments = ["a b"] } }).Installing("n1");

        var e = Assert.Throws<TemplateException>(() => scripts.Ipxe(BootDecider.Intend(X64Mac, site.Snapshot, Now), X64Mac, Root, At));

        Assert.Contains("ipxe/install", e.Message);
        Assert.Contains("'a b'", e.Message);
    }

    [Theory]
    [InlineData(DistributionFamily.Rhel, ".", "inst.repo=http://10.77.0.1:8080/images/debian-x64 ")]
    [InlineData(DistributionFamily.Rhel, "https://mirror.example.com/9/os", "inst.repo=https://mirror.example.com/9/os ")]
    [InlineData(DistributionFamily.Rhel, "cache:rocky9/BaseOS/x86_64/os/", "inst.repo=http://10.77.0.1:8080/artifacts/rocky9/BaseOS/x86_64/os ")]
    [InlineData(DistributionFamily.Ubuntu, "debian-x64.iso", "url=http://10.77.0.1:8080/images/debian-x64/debian-x64.iso ")]
    [InlineData(DistributionFamily.Debian, "x", null)]
    public void The_installer_is_told_its_source_by_HTTP_even_where_iPXE_has_none(DistributionFamily family, string source, string? argument)
    {
        var intent = BootDecider.Intend(X64Mac, new BootFixture()
            .WithImage("debian-x64", i => i with { Spec = i.Spec with { Family = family, InstallSource = source, KernelArguments = ["quiet"] } })
            .WithHost("n1", h => h).Installing("n1").Snapshot, Now);
        foreach (var script in new[] { scripts.Ipxe(intent, X64Mac, "tftp://10.77.0.1", At), scripts.Grub(intent, X64Mac, At) })
        {
            if (argument is null)
                Assert.DoesNotContain("inst.repo=", script, StringComparison.Ordinal);
            else
                Assert.Contains(argument + "quiet", script.Replace("'", "", StringComparison.Ordinal), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_arguments_of_a_system_in_memory_are_those_of_its_boot(bool diskless)
    {
        var intent = BootDecider.Intend(X64Mac, new BootFixture()
            .WithImage("debian-x64", i => i with { Spec = i.Spec with { KernelArguments = ["quiet"] } })
            .WithProfile("worker", p => p with { Install = new InstallOptions { Diskless = diskless, KernelArguments = ["mitigations=auto"] }, Boot = new BootOptions { KernelArguments = ["last"] } })
            .Installing("n1").Snapshot, Now);
        foreach (var script in new[] { scripts.Ipxe(intent, X64Mac, "http://10.77.0.1:8080", At), scripts.Grub(intent, X64Mac, At) })
            Assert.Contains(diskless ? "quiet mitigations=auto last" : "quiet last", script.Replace("'", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    // Every character that registration takes, in every place of a word, and the longest words; and what it refuses but a file's name could hold.
    [Fact]
    public void GRUBs_own_parser_takes_every_script()
    {
        Tool.SkipWithout("/usr/bin/grub-script-check");
        using var directory = new TemporaryDirectory();
        var arguments = "-_.,:=/@+%~!*#[]()?^".SelectMany(c => new[] { $"x{c}y", $"x{c}", $"x{c}{c}", c == '#' ? "x#" : $"{c}x", c == '#' ? "x##" : $"{c}{c}" }).ToArray();
        Assert.All(arguments, a => Assert.Null(Provisioner.Resources.Texts.KernelArgument(a)));
        string[][] each = [.. arguments.Chunk(10), [new string('x', 256), new string('^', 256)], ["'", "''", "\"", "\\", "$x", "${x}", "$(x)", "`x`", ";", "&&", "|", "{", "}", "<", ">", "a\\'b", "ü", "--", "---", "if", "fi", "[", "]]"]];
        var names = new List<string>();
        void Write(string script)
        {
            names.Add($"{names.Count}.cfg");
            File.WriteAllText(directory[names[^1]], script);
        }

        Write(scripts.FirstGrub());
        foreach (var words in each)
        {
            var site = new BootFixture().WithHost("n1", h => h with { Boot = new BootOptions { KernelArguments = [.. words] } });
            Write(scripts.Grub(BootDecider.Intend(X64Mac, site.Installing("n1").Snapshot, Now), X64Mac, At));
        }
        foreach (var name in (string[])["install", "install-many-initrds", "local-exit", "local-sanboot", "waiting", "blocked"])
            Write(scripts.Grub(IntentOf(name), X64Mac, At));
        var host = new BootFixture().Snapshot.Hosts["n1"];
        foreach (var reason in (string[])["it's \"gone\"", "$(x) ${y} `z`", "a; b && c | d { e } # f", "\\", "'"])
        {
            Write(scripts.Grub(new BootIntent.Blocked(host, reason), X64Mac, At));
            Write(scripts.Grub(new BootIntent.LocalDisk(host, LocalBoot.Exit, reason), X64Mac, At));
        }
        var file = "it's a $kernel; \"x\" && {y}.gz";
        Write(scripts.Grub(BootDecider.Intend(X64Mac, new BootFixture().WithImage("debian-x64", i => i with
        {
            Spec = i.Spec with { Kernel = file, Initrd = [file] },
            Status = i.Status with { Files = i.Status.Files.Add(new(file, 1, "dd", null)) },
        }).Installing("n1").Snapshot, Now), X64Mac, At));

        foreach (var name in names)
            Tool.Run("/usr/bin/grub-script-check", directory[name]);

        File.WriteAllText(directory["wrong.cfg"], "echo 'open\n");
        Assert.NotEqual(0, Tool.Try("/usr/bin/grub-script-check", null, directory["wrong.cfg"]).Code);
    }

    private static BootIntent IntentOf(string name)
    {
        var site = new BootFixture().WithHost("n1", h => h with { Boot = new BootOptions { KernelArguments = ["console=ttyS0,115200", "it's"] } });
        return name switch
        {
            "install" => BootDecider.Intend(X64Mac, site.Installing("n1").Snapshot, Now),
            "install-many-initrds" => BootDecider.Intend(X64Mac, site
                .WithImage("debian-x64", i => i with
                {
                    Spec = i.Spec with { Initrd = ["initrd.gz", "firmware/extra files.cpio"] },
                    Status = i.Status with { Files = i.Status.Files.Add(new("firmware/extra files.cpio", 1, "dd", null)) },
                }).Installing("n1").Snapshot, Now),
            "local-exit" => BootDecider.Intend(X64Mac, site.Snapshot, Now),
            "local-sanboot" => BootDecider.Intend(X64Mac, site.WithHost("n1", h => h with { Boot = new BootOptions { Local = LocalBoot.Sanboot } }).Snapshot, Now),
            "blocked" => BootDecider.Intend(X64Mac, site.Installing("n1").With(s => s with { Images = s.Images.Clear() }).Snapshot, Now),
            _ => BootDecider.Intend(UnknownMac, site.Snapshot, Now),
        };
    }
}
