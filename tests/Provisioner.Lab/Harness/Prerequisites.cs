namespace Provisioner.Lab.Harness;

/// <summary>What the lab needs of the machine it runs on, by the file that shows it is there and the Debian package that brings it.</summary>
internal static class Prerequisites
{
    /// <summary>Set by test.sh, which installs everything: what is missing then is a failure and not a reason to skip.</summary>
    private const string RequiredVariable = "PROVISIONER_LAB_REQUIRED";

    /// <summary>Where Debian's network installer is unpacked when it is not an installed package, as on Ubuntu.</summary>
    private const string ImagesVariable = "PROVISIONER_LAB_IMAGES";

    /// <summary>The repository's top directory.</summary>
    public static string Repository { get; } = FindRepository();

    /// <summary>The directory with <c>amd64</c> and <c>arm64</c> of Debian's network installer in it.</summary>
    public static string Images { get; } = Environment.GetEnvironmentVariable(ImagesVariable) is { Length: > 0 } images
        ? images
        : "/usr/lib/debian-installer/images/12";

    public static string ImageAmd64 => $"{Images}/amd64/text/debian-installer/amd64";

    public static string ImageArm64 => $"{Images}/arm64/text/debian-installer/arm64";

    public static string DebianArchitecture(Firmware firmware) => firmware == Firmware.UefiArm64 ? "arm64" : "amd64";

    /// <summary>The directory with the diskless image for this firmware, as .ci/install leaves it below the repository.</summary>
    public static string Diskless(Firmware firmware) => Path.Combine(Repository, ".cache", "diskless", DebianArchitecture(firmware));

    private static string DisklessImage(Firmware firmware) => Path.Combine(Diskless(firmware), "initrd.img");

    /// <summary>Skips the running test unless namespaces can be made here and these programs are installed.</summary>
    public static void SkipWithout(params string[] programs) => SkipUnless(Missing([], programs));

    /// <summary>Skips the running test unless a machine with this firmware can be started here.</summary>
    public static void SkipWithout(Firmware firmware, params string[] programs) => SkipUnless(Missing(firmware, programs));

    /// <summary>
    /// Skips the running test unless a machine with this firmware can be started here and there is a diskless image for it. The one for
    /// arm64 takes an emulator to build, and is built only when somebody asks.
    /// </summary>
    public static void SkipWithoutDiskless(Firmware firmware, params string[] programs)
    {
        if (firmware == Firmware.UefiArm64 && !File.Exists(DisklessImage(firmware)))
            Assert.Skip($"not built here: {DisklessImage(firmware)} (.ci/install diskless-arm64 builds it)");
        SkipUnless(MissingDiskless(firmware, programs));
    }

    /// <summary>What is missing to start machines with this firmware and the diskless image, as a sentence; null when nothing is.</summary>
    public static string? MissingDiskless(Firmware firmware, params string[] programs) =>
        Missing([.. FilesOf(firmware), "/dev/net/tun", DisklessImage(firmware)], [FirmwareFiles.Emulator(firmware), .. programs]);

    /// <summary>Skips the running test unless a program's clock can be set apart from this machine's.</summary>
    public static void SkipWithoutFakeClock() => SkipUnless(Missing([FakeClock.Library], []));

    /// <summary>What is missing to start machines with this firmware, as a sentence; null when nothing is.</summary>
    public static string? Missing(Firmware firmware, params string[] programs)
    {
        List<string> files = ["/dev/net/tun", .. FilesOf(firmware), SiteImage.Installer(firmware).Directory + "/linux"];
        return Missing(files, [FirmwareFiles.Emulator(firmware), .. programs]);
    }

    /// <summary>The file of that program, or null.</summary>
    public static string? Find(string program) =>
        new[] { "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin" }
            .Select(directory => Path.Combine(directory, program))
            .FirstOrDefault(File.Exists);

    private static IEnumerable<string> FilesOf(Firmware firmware) =>
    [
        .. FirmwareFiles.Code(firmware) is { } code ? [code] : Array.Empty<string>(),
        .. FirmwareFiles.Variables(firmware) is { } variables ? [variables] : Array.Empty<string>(),
        .. firmware is Firmware.UefiX64 or Firmware.HttpBoot ? ["/usr/lib/ipxe/snponly.efi"] : Array.Empty<string>(),
    ];

    private static string? Missing(IEnumerable<string> files, IEnumerable<string> programs)
    {
        if (!Environment.IsPrivilegedProcess)
            return "network namespaces need root";
        var missing = programs.Append("ip").Append("ethtool").Where(program => Find(program) is null)
            .Concat(files.Where(file => !File.Exists(file)))
            .ToList();
        return missing.Count == 0 ? null : $"not installed here: {string.Join(", ", missing)} (./test.sh installs what it needs)";
    }

    private static string FindRepository()
    {
        for (var directory = AppContext.BaseDirectory; directory is not null; directory = Path.GetDirectoryName(directory))
        {
            if (File.Exists(Path.Combine(directory, "Provisioner.sln")))
                return directory;
        }
        return Environment.CurrentDirectory;
    }

    private static void SkipUnless(string? missing)
    {
        if (missing is null)
            return;
        if (Environment.GetEnvironmentVariable(RequiredVariable) is { Length: > 0 })
            Assert.Fail($"The lab must run here, and cannot: {missing}");
        Assert.Skip(missing);
    }
}
