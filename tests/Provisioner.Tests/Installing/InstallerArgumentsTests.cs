using Provisioner.Installing;
using Provisioner.Templates;
using Provisioner.Tests.Certificates.Keys;

namespace Provisioner.Tests.Installing;

public sealed class InstallerArgumentsTests
{
    public static TheoryData<string> Releases { get; } = [.. AnswerFixture.Releases];

    [Theory]
    [InlineData("rhel-9", "inst.ks=http://10.77.0.1:8080/seed/c0ffee/ks.cfg", "BOOTIF=01-52-54-00-00-00-01")]
    [InlineData("ubuntu-22.04", "ds=nocloud-net;s=http://10.77.0.1:8080/seed/c0ffee/", "BOOTIF=52:54:00:00:00:01")]
    [InlineData("ubuntu-24.04", "ds=nocloud;s=http://10.77.0.1:8080/seed/c0ffee/", "cloud-config-url=/dev/null")]
    [InlineData("debian-12-diskless", "ds=nocloud-net;s=http://10.77.0.1:8080/seed/c0ffee/")]
    public void Each_installer_finds_its_answers(string release, params string[] wanted)
    {
        var arguments = InstallerArguments.For(AnswerFixture.Context($"{release}/plain/x86_64"));

        Assert.All(wanted, w => Assert.Contains(w, arguments));
        Assert.DoesNotContain(arguments, a => a.Contains(AnswerFixture.Token, StringComparison.Ordinal));
    }

    /// <summary>cloud-init warns of an address that gives nothing, and a boot with a warning counts as degraded since 23.4.</summary>
    [Theory]
    [InlineData(null, false)]
    [InlineData("url=http://10.77.0.1:8080/images/live/live.iso", true)]
    public void A_diskless_host_is_kept_from_the_image_s_url_when_there_is_one(string? argument, bool isKept)
    {
        var context = AnswerFixture.Context("debian-12-diskless/plain/x86_64");
        var image = context.Image with { Spec = context.Image.Spec with { KernelArguments = argument is null ? [] : [argument] } };

        Assert.Equal(isKept, InstallerArguments.For(context with { Image = image }).Contains("cloud-config-url=/dev/null"));
    }

    /// <summary>The semicolon of ds=nocloud;s= would end the command in GRUB, and alone in iPXE.</summary>
    [Theory]
    [MemberData(nameof(Releases))]
    public void Every_argument_survives_iPXE_and_GRUB(string release)
    {
        var arguments = InstallerArguments.For(AnswerFixture.Context($"{release}/plain/x86_64"));
        var engine = new TemplateEngine();
        var values = new Dictionary<string, object?>
        {
            ["base"] = "http://10.77.0.1:8080", ["reason"] = "install", ["title"] = "install", ["kernel"] = "k", ["initrd"] = new List<object>(), ["arguments"] = arguments.ToList(),
        };

        var ipxe = engine.Render("ipxe/install", values).Split('\n').Single(l => l.StartsWith("kernel ", StringComparison.Ordinal));
        var words = ipxe.Split(' ');
        Assert.Equal(arguments, words[2..^3]);

        // GRUB quotes as the shell does.
        var grub = engine.Render("grub/install", values).Split('\n').Single(l => l.StartsWith("linux ", StringComparison.Ordinal));
        Assert.Equal(["k", .. arguments], Tool.Run("/bin/sh", "-c", $"linux() {{ printf '%s\\n' \"$@\"; }}; {grub}").TrimEnd('\n').Split('\n'));
    }
}
