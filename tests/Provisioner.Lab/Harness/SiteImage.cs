namespace Provisioner.Lab.Harness;

/// <summary>What a site's servers boot: a directory to import, by the name it is given there.</summary>
internal sealed record SiteImage(string Name, string Directory)
{
    /// <summary>Its entry in the catalogue, applied before it is imported.</summary>
    public string? CatalogueEntry { get; private init; }

    /// <summary>A further initrd of the test's own, for an image that takes one.</summary>
    public DisklessOverlay? Overlay { get; private init; }

    /// <summary>Its own initrd, which the overlay comes after.</summary>
    private string Initrd { get; init; } = "initrd.img";

    /// <summary>Debian's network installer.</summary>
    public static SiteImage Installer(Firmware firmware) => firmware == Firmware.UefiArm64
        ? new("debian-12-arm64", Prerequisites.ImageArm64)
        : new("debian-12-amd64", Prerequisites.ImageAmd64);

    /// <summary>Debian's network installer with a test's own files.</summary>
    public static SiteImage Installer(Firmware firmware, DisklessOverlay overlay) => Installer(firmware) with { Overlay = overlay, Initrd = "initrd.gz" };

    /// <summary>The diskless Debian of <c>images/diskless</c> by another name and another entry in the catalogue: a stand-in for an installer that cannot be had.</summary>
    public static SiteImage StandIn(Firmware firmware, string name, string catalogueEntry, DisklessOverlay overlay) =>
        new(name, Prerequisites.Diskless(firmware)) { CatalogueEntry = catalogueEntry, Overlay = overlay };

    /// <summary>The diskless Debian of <c>images/diskless</c>, with a test's own files.</summary>
    public static SiteImage Diskless(Firmware firmware, DisklessOverlay? overlay = null)
    {
        var name = $"debian-12-diskless-{Prerequisites.DebianArchitecture(firmware)}";
        return new(name, Prerequisites.Diskless(firmware))
        {
            CatalogueEntry = Path.Combine(Prerequisites.Repository, "images", name + ".yaml"),
            Overlay = overlay ?? new DisklessOverlay(),
        };
    }

    /// <summary>Imports it as an administrator does.</summary>
    /// <param name="service">Where.</param>
    /// <param name="scratch">A directory to put the image together in, when it is not to be imported as it is.</param>
    /// <returns>The command and what it said, a line an item.</returns>
    public Task<IReadOnlyList<string>> ImportAsync(ServiceProcess service, string scratch) => ImportAsync(service.DoAsync, scratch);

    /// <summary>As above, by whatever runs a command against the appliance.</summary>
    public async Task<IReadOnlyList<string>> ImportAsync(Func<string[], Task<string>> run, string scratch)
    {
        if (CatalogueEntry is not null)
            await run(["apply", "-f", CatalogueEntry]);
        if (Overlay is null)
            return await ImportAsync(run, Directory, []);
        var together = Path.Combine(scratch, Name);
        System.IO.Directory.CreateDirectory(together);
        foreach (var file in System.IO.Directory.EnumerateFiles(Directory))
            File.Copy(file, Path.Combine(together, Path.GetFileName(file)));
        await File.WriteAllBytesAsync(Path.Combine(together, "overlay.img"), Overlay.Pack());
        var said = await ImportAsync(run, together, ["--initrd", Initrd, "--initrd", "overlay.img"]);
        System.IO.Directory.Delete(together, recursive: true);
        return said;
    }

    private async Task<IReadOnlyList<string>> ImportAsync(Func<string[], Task<string>> run, string from, string[] options)
    {
        string[] command = ["image", "import", from, "--name", Name, .. options];
        var said = await run(command);
        return [$"provisioner {string.Join(' ', command)}", .. said.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => "  " + line)];
    }
}
