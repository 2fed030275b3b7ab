using Provisioner.Lab.Harness;

namespace Provisioner.Lab;

/// <summary>iPXE's and GRUB's own parsers hand every character that registration takes to the kernel, as it was written.</summary>
public sealed class HostileBootTests
{
    private const string Mac = "52:54:00:77:00:11";

    /// <summary>As long as a host's name may be; the scripts say it to whoever watches.</summary>
    private static readonly string Name = new string('n', 60) + ".lab";

    // A kernel hands 32 words that it does not know to its first program, and panics when there are more.
    private static readonly string[] OfProfile =
    [
        "a!b", "!!", "c#d", "[f]", "[", "]", "(g)", "()", "h?", "i^j", "^", "k*l", "*", "~m", "%n%20", "@o", "+p", "q=r,s:t/u", "=", ",", ":", "/", "..", "_", "-v", "--name=w", "[a-z]*?",
    ];

    private static readonly string[] OfHost = [new string('y', 256), new string('^', 128), "ds=no", "last=word"];

    [Theory]
    [InlineData(nameof(Firmware.Bios))]
    [InlineData(nameof(Firmware.UefiX64))]
    [InlineData(nameof(Firmware.SecureBoot))]
    public async Task The_kernel_is_told_what_was_written(string machine)
    {
        var firmware = Enum.Parse<Firmware>(machine);
        Prerequisites.SkipWithout(firmware);
        var overlay = new DisklessOverlay().AddProgram("/say-cmdline", """
            #!/bin/sh
            mount -t proc proc /proc
            read -r line </proc/cmdline
            while :; do
              echo "told: $line :end"
              sleep 5
            done

            """);
        await using var site = await Site.CreateAsync(firmware, SiteResources.Reserve, image: SiteImage.Installer(firmware, overlay));
        static string List(IEnumerable<string> arguments, string indent) => string.Concat(arguments.Select(a => $"{indent}- \"{a}\"\n"));
        await site.Service.ApplyAsync(SiteResources.Profile(firmware, SiteImage.Installer(firmware).Name).TrimEnd() + "\n" + List(["rdinit=/say-cmdline", .. OfProfile], "      "));
        await site.RegisterAsync(Name, Mac, "  boot:\n    kernelArguments:\n" + List(OfHost, "      "));
        await site.Service.DoAsync("provision", Name);
        var server = site.AddServer(Mac);

        await server.PowerOnAsync();
        await site.WaitForAsync(server, " :end\n");

        var told = server.Serial().Split('\n').First(line => line.Contains("told: ", StringComparison.Ordinal));
        Assert.EndsWith($" console={FirmwareFiles.Console(firmware)} rdinit=/say-cmdline {string.Join(' ', OfProfile.Concat(OfHost))} :end", told, StringComparison.Ordinal);
    }
}
