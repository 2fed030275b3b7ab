using System.Runtime.CompilerServices;
using Provisioner.Boot;
using Provisioner.Images;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Images;

public sealed class ImageCatalogueTests
{
    public static TheoryData<string> Promised { get; } =
    [
        .. from system in new[] { "rhel-8", "rhel-9", "rhel-10", "ubuntu-20.04", "ubuntu-22.04", "ubuntu-24.04" }
           from processor in new[] { "amd64", "arm64" }
           select $"{system}-{processor}",
    ];

    [Theory]
    [MemberData(nameof(Promised))]
    public void Each_entry_says_where_it_comes_from_what_it_boots_with_and_what_goes_wrong(string name)
    {
        var spec = ImageCatalogue.Find(name)!.Spec;
        Assert.Equal(name.EndsWith("arm64", StringComparison.Ordinal) ? CpuArchitecture.Arm64 : CpuArchitecture.X64, spec.Architecture);
        Assert.StartsWith($"{spec.Distribution}-{spec.Version}-", name, StringComparison.Ordinal);
        Assert.True((spec.Source!.Iso == IsoOrigin.Bring) ^ (spec.Source is { Url: not null, Sha256: not null }), "either it is brought, or pulled with a checksum");
        Assert.NotEmpty(spec.Initrd);
        Assert.NotNull(spec.InstallSource);
        Assert.NotNull(spec.BootLoaders.Shim);
        Assert.True(spec.MinimumMemory >= 2048);
        Assert.NotEmpty(spec.Traps);
        Assert.Same(ImageCatalogue.Find(name), ImageCatalogue.Fitting(spec.Family!.Value, spec.Version + ".4", spec.Architecture, spec.Kernel));
    }

    [Fact]
    public void The_program_carries_every_file_of_the_catalogue_by_its_own_name()
    {
        var files = Directory.GetFiles(Path.Combine(Path.GetDirectoryName(Here())!, "..", "..", "..", "images"), "*.yaml").Select(Path.GetFileNameWithoutExtension).Order(StringComparer.Ordinal);
        Assert.Equal(files, ImageCatalogue.Entries.Select(e => e.Name));
    }

    [Theory]
    [InlineData("9")]
    [InlineData("9.10")]
    public void A_rebuild_boots_like_RHEL(string version) =>
        Assert.Equal("rhel-9-arm64", ImageCatalogue.Fitting(DistributionFamily.Rhel, version, CpuArchitecture.Arm64, "images/pxeboot/vmlinuz")?.Name);

    [Theory]
    [InlineData("90")]
    [InlineData("7.9")]
    public void Another_version_fits_no_entry(string version) =>
        Assert.Null(ImageCatalogue.Fitting(DistributionFamily.Rhel, version, CpuArchitecture.X64, "images/pxeboot/vmlinuz"));

    [Fact]
    public async Task It_is_listed_without_a_service()
    {
        var outcome = await CommandOutcome.OfAsync("", ["image", "list", "--catalogue", "--socket", "/nowhere"]);
        Assert.Matches("(?m)^ubuntu-24.04-arm64 +ubuntu +24.04 +aarch64 +pull +8Gi$", outcome.Succeeded());
        Assert.Matches("(?m)^rhel-10-amd64 +rhel +10 +x86_64 +bring the ISO +4Gi$", outcome.Succeeded());
        Assert.Contains("x86-64-v3", (await CommandOutcome.OfAsync("", ["image", "list", "--catalogue", "-o", "yaml"])).Succeeded(), StringComparison.Ordinal);
    }

    private static string Here([CallerFilePath] string path = "") => path;
}
