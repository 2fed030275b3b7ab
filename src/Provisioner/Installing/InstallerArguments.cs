using System.Collections.Immutable;

namespace Provisioner.Installing;

/// <summary>The kernel arguments an installer finds its answers by. Each is one word; iPXE's and GRUB's quoting is done where they are written.</summary>
internal static class InstallerArguments
{
    /// <returns>None for a profile without an unattended installation.</returns>
    public static ImmutableArray<string> For(SeedContext context)
    {
        if (context.Profile.Spec.Install is not { } options || InstallTarget.Of(context.Image, options.Diskless, out _) is not { } target)
            return [];
        var mac = context.Host.Spec.BootMacAddress ?? context.Host.Spec.MacAddresses[0];
        return target.Reader switch
        {
            AnswerReader.Kickstart =>
            [
                $"inst.ks={context.SeedRoot}/ks.cfg",
                $"inst.repo={context.Source.TrimEnd('/')}/",
                "inst.text",
                // The answers hold the token; without this they would stay in /root of the installed system.
                "inst.nosave=all_ks",
                // Hardware type 1 and dashes, as PXELINUX made it (dracut.cmdline(7)).
                $"BOOTIF=01-{mac.ToDashed()}",
                "ip=dhcp",
            ],
            AnswerReader.Autoinstall =>
            [
                "autoinstall",
                NoCloud(context, target),
                // Otherwise cloud-init takes url= for its own configuration, and loads the whole image once more.
                "cloud-config-url=/dev/null",
                .. IsoOf(context) is { } iso ? [$"url={iso}"] : ImmutableArray<string>.Empty,
                // With colons: casper does not take the form with dashes (foreman#9806).
                $"BOOTIF={mac}",
                "ip=dhcp",
            ],
            // Alone, without a url= to be kept from, it would be a warning of cloud-init's, which counts as a degraded boot since 23.4.
            _ => context.Image.Spec.InstallSource is null && !context.Image.Spec.KernelArguments.Any(a => a.StartsWith("url=", StringComparison.Ordinal))
                ? [NoCloud(context, target)]
                : [NoCloud(context, target), "cloud-config-url=/dev/null"],
        };
    }

    // Before 23.3 cloud-init takes 'nocloud' for a disk, and does not fetch anything for it; 'nocloud-net' is understood by all.
    private static string NoCloud(SeedContext context, InstallTarget target) =>
        $"ds={(target is { Reader: AnswerReader.Autoinstall, Major: >= 24 } ? "nocloud" : "nocloud-net")};s={context.SeedRoot}/";

    private static string? IsoOf(SeedContext context) =>
        context.Image.Status.Files.Where(f => f.Path.EndsWith(".iso", StringComparison.OrdinalIgnoreCase)).MaxBy(f => f.Size) is { } iso ? $"{context.ImageRoot}/{iso.Path}" : null;
}
