using System.Text;
using Provisioner.Artifacts;
using Provisioner.Images;
using Provisioner.Installing;
using Provisioner.Protocols;
using Provisioner.Seeds;
using Provisioner.Templates;

namespace Provisioner.Boot;

/// <summary>Turns an intent into the words of iPXE and GRUB.</summary>
internal sealed class BootScripts(TemplateEngine templates, SeedContexts? seeds = null)
{
    /// <summary>The script every iPXE runs first; it chains to the machine's own.</summary>
    /// <param name="roots">What its URLs begin with, tried in order, such as <c>http://10.77.0.1:8080</c> and <c>tftp://10.77.0.1</c>.</param>
    public string FirstIpxe(IEnumerable<string> roots) => templates.Render("ipxe/first", new Dictionary<string, object?> { ["roots"] = roots.ToList() });

    /// <summary>The script every GRUB runs first. Its paths are on the device GRUB was loaded from.</summary>
    public string FirstGrub() => templates.Render("grub/first", new Dictionary<string, object?>());

    /// <param name="intent">What is to happen.</param>
    /// <param name="mac">Whose script it is.</param>
    /// <param name="root">What the script's URLs begin with; by TFTP for an iPXE that has no HTTP.</param>
    /// <param name="endpoint">Where its installer reaches the boot plane, which it does by HTTP always: image and answers come from there.</param>
    /// <param name="redacted">For people: without the capability in the answers' address.</param>
    /// <exception cref="TemplateException">A value cannot be written safely.</exception>
    public string Ipxe(BootIntent intent, MacAddress mac, string root, BootEndpoint endpoint, bool redacted = false) => intent switch
    {
        BootIntent.Install install => templates.Render("ipxe/install", new Dictionary<string, object?>
        {
            ["base"] = root,
            ["reason"] = install.Reason,
            ["kernel"] = PathOf(install.Image.Name, install.Image.Spec.Kernel),
            ["initrd"] = install.Image.Spec.Initrd.Select((path, i) => new Dictionary<string, object?>
            {
                // The EFI stub of the kernel finds its initrd by this name (initrd=), so each needs its own.
                ["name"] = $"initrd{i}",
                ["path"] = PathOf(install.Image.Name, path),
            }).ToList(),
            ["arguments"] = Arguments(install, endpoint, redacted),
        }),
        BootIntent.LocalDisk local => templates.Render("ipxe/local", new Dictionary<string, object?>
        {
            ["reason"] = local.Reason,
            ["sanboot"] = local.Method == LocalBoot.Sanboot,
        }),
        BootIntent.Blocked blocked => templates.Render("ipxe/blocked", new Dictionary<string, object?>
        {
            ["host"] = blocked.Host.Name,
            ["reason"] = blocked.Reason,
        }),
        _ => templates.Render("ipxe/waiting", new Dictionary<string, object?> { ["mac"] = mac.ToString() }),
    };

    /// <exception cref="TemplateException">A value cannot be written safely.</exception>
    public string Grub(BootIntent intent, MacAddress mac, BootEndpoint endpoint, bool redacted = false) => intent switch
    {
        BootIntent.Install install => templates.Render("grub/install", new Dictionary<string, object?>
        {
            ["title"] = install.Reason,
            ["kernel"] = $"/{PathOf(install.Image.Name, install.Image.Spec.Kernel)}",
            ["initrd"] = install.Image.Spec.Initrd
                .Select(path => new Dictionary<string, object?> { ["path"] = $"/{PathOf(install.Image.Name, path)}" }).ToList(),
            ["arguments"] = Arguments(install, endpoint, redacted),
        }),
        BootIntent.LocalDisk local => templates.Render("grub/local", new Dictionary<string, object?>
        {
            ["title"] = local.Reason,
        }) + Disk(),
        BootIntent.Blocked blocked => templates.Render("grub/blocked", new Dictionary<string, object?>
        {
            ["title"] = $"{blocked.Host.Name} cannot be installed: {blocked.Reason}",
        }) + Disk(),
        _ => templates.Render("grub/waiting", new Dictionary<string, object?>
        {
            ["command"] = $"  provisioner adopt {mac} --name NAME --profile PROFILE",
        }) + Disk(),
    };

    // Where iPXE leaves with an error, and the firmware goes on by itself, GRUB has to find the disk's boot loader.
    private string Disk() => templates.Render("grub/disk", new Dictionary<string, object?>());

    internal static byte[] Encode(string script) => Encoding.UTF8.GetBytes(script);

    private static string PathOf(string image, string path) => $"images/{image}/{path}";

    // Image, profile, host: the last word wins with the kernel, so the most particular comes last.
    private List<string> Arguments(BootIntent.Install install, BootEndpoint endpoint, bool redacted) =>
    [
        .. SourceAndAnswers(install, endpoint, redacted),
        .. install.Image.Spec.KernelArguments,
        .. install.Profile.Spec.Boot?.KernelArguments ?? [],
        .. install.Host.Spec.Boot?.KernelArguments ?? [],
    ];

    // Where the installer finds what it installs, as the image says or else as its answers do, and where it finds its answers.
    private IEnumerable<string> SourceAndAnswers(BootIntent.Install install, BootEndpoint endpoint, bool redacted)
    {
        var answers = seeds?.Arguments(install, endpoint, redacted) ?? [];
        return InstallSource(install.Image, endpoint.HttpRoot) is not { } source ? answers
            : answers.Where(a => !a.StartsWith("inst.repo=", StringComparison.Ordinal) && !a.StartsWith("url=", StringComparison.Ordinal)).Prepend(source);
    }

    /// <summary>Anaconda's <c>inst.repo=</c>, casper's <c>url=</c>: where the installer finds what it installs.</summary>
    private static string? InstallSource(Image image, string httpRoot)
    {
        if (image.Spec.InstallSource is not { } source)
            return null;
        var url = source.Contains("://", StringComparison.Ordinal) ? source
            : PackageSource.IsCached(source) ? $"{httpRoot}{ArtifactPath.Prefix}{PackageSource.Below(source)}"
            : source == "." ? $"{httpRoot}/images/{image.Name}"
            : $"{httpRoot}/{PathOf(image.Name, source)}";
        return image.Spec.Family switch
        {
            DistributionFamily.Rhel => $"inst.repo={url}",
            DistributionFamily.Ubuntu => $"url={url}",
            _ => null,
        };
    }
}
