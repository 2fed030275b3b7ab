using System.IO.Compression;
using System.Text;
using Provisioner.Artifacts.Packages;
using Provisioner.Boot;
using Provisioner.Installing;
using Provisioner.Profiles;
using Provisioner.Resources;
using Provisioner.Tests.Installing;

namespace Provisioner.Tests.Artifacts;

/// <summary>What archives say, and what is made of it.</summary>
public sealed class PackageTests
{
    private static readonly AptArchive Noble = new("ubuntu", "noble", ["main"], "amd64");

    private static readonly DnfArchive BaseOs = new("rocky9/BaseOS/x86_64/os", "x86_64");

    // Each is older than the one after it. Those of Debian's are dpkg's own test cases in part, those of rpm's rpm's.
    [Theory]
    [InlineData(true, "1.0~rc1", "1.0", "1.0-0ubuntu1", "1.0-1", "1.0.1-1", "1.9", "1.10", "1.10a", "1.10+b", "1:0.1")]
    [InlineData(true, "0~~", "0~~a", "0~", "0", "0a", "0+")]
    [InlineData(false, "0:1.0~rc1-1", "0:1.0-1.el9", "0:1.0-2.el9", "0:1.0^git1-1", "0:1.0a-1", "0:1.0.1-1", "0:1.9-1", "0:1.10-1", "1:0.1-1")]
    public void The_newest_version_is_found(bool debian, params string[] ascending)
    {
        Comparison<string> compare = debian ? PackageVersion.CompareDebian : PackageVersion.CompareRpm;
        for (var i = 0; i < ascending.Length; i++)
        {
            for (var j = 0; j < ascending.Length; j++)
                Assert.True(Math.Sign(compare(ascending[i], ascending[j])) == i.CompareTo(j), $"{ascending[i]} and {ascending[j]}");
        }
    }

    [Theory]
    [InlineData(true, "1.0-01", "1.0-1")]
    [InlineData(true, "0:1", "1")]
    [InlineData(false, "0:1.0.0-1", "0:1_0_0-1")]
    [InlineData(false, "0:1.05-1", "0:1.5-1")]
    public void Two_ways_to_write_one_version_are_the_same(bool debian, string a, string b) =>
        Assert.Equal(0, debian ? PackageVersion.CompareDebian(a, b) : PackageVersion.CompareRpm(a, b));

    [Fact]
    public void An_inrelease_names_what_apt_fetches()
    {
        var indexes = Noble.Indexes(Text($"""
            -----BEGIN PGP SIGNED MESSAGE-----
            Hash: SHA512

            Origin: Ubuntu
            Acquire-By-Hash: yes
            Architectures: amd64 arm64
            MD5Sum:
             d41d8cd98f00b204e9800998ecf8427e 0 main/binary-amd64/Packages.gz
            SHA256:
             {new string('a', 64)} 1 main/binary-amd64/Packages
             {new string('b', 64)} 1 main/binary-amd64/Packages.gz
             {new string('c', 64)} 1 main/binary-amd64/Packages.xz
             {new string('d', 64)} 1 main/binary-arm64/Packages.gz
             {new string('e', 64)} 1 main/i18n/Translation-en.xz
             {new string('f', 64)} 1 universe/binary-amd64/Packages.gz
            -----BEGIN PGP SIGNATURE-----
            """));

        Assert.Equal(
        [
            new ArchiveIndex($"ubuntu/dists/noble/main/binary-amd64/by-hash/SHA256/{new string('c', 64)}", null),
            new ArchiveIndex($"ubuntu/dists/noble/main/binary-amd64/by-hash/SHA256/{new string('b', 64)}", ".gz"),
            new ArchiveIndex($"ubuntu/dists/noble/main/i18n/by-hash/SHA256/{new string('e', 64)}", null),
        ], indexes);
        Assert.Equal("ubuntu/dists/noble/InRelease", Noble.Head);
        Assert.Equal("site/flat/InRelease", (Noble with { Root = "site/flat", Suite = "./" }).Head);
    }

    [Theory]
    [InlineData("<html>", "no InRelease")]
    [InlineData("SHA256:\n {0} 1 universe/binary-amd64/Packages.gz\n", "lists no main/binary-amd64/Packages")]
    [InlineData("SHA256:\n {0} 1 main/binary-amd64/Packages.xz\n", "only as .xz")]
    public void What_is_no_archive_is_told(string text, string why)
    {
        var wrong = Assert.Throws<InvalidDataException>(() => Noble.Indexes(Text(text.Replace("{0}", new string('a', 64), StringComparison.Ordinal))));
        Assert.Contains(why, wrong.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><repomd>&a;</repomd>", "not XML")]
    [InlineData("<repomd/>", "no repomd.xml")]
    [InlineData("<repomd xmlns='http://linux.duke.edu/metadata/repo'><data type='primary'><location href='repodata/primary.xml.zst'/></data></repomd>", "packed as .zst")]
    public void What_is_no_repository_is_told(string text, string why) =>
        Assert.Contains(why, Assert.Throws<InvalidDataException>(() => BaseOs.Indexes(Text(text))).Message, StringComparison.Ordinal);

    [Fact]
    public void Packages_and_what_they_need_are_found()
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write("""
                Package: app
                Version: 1.9-1
                Filename: pool/a/app_1.9-1_amd64.deb
                Depends: old

                Package: app
                Version: 1.10-1
                Filename: pool/a/app_1.10-1_amd64.deb
                Pre-Depends: init-system:any (>= 1.54~)
                Depends: missing | lib (>= 2) [amd64], mail-agent,
                  not-a-field: x
                Recommends: docs, nowhere
                Description: something
                 Depends: nothing

                Package: lib
                Filename: pool/l/lib_2_all.deb
                Depends: gone (= 1), app

                Package: postman
                Provides: mail-agent (= 1), other
                Filename: ./pool/p/postman.deb

                Package: init-system
                Filename: pool/i/init.deb

                Package: docs
                Filename: pool/d/docs.deb

                Package: unrelated
                Filename: pool/u/unrelated.deb
                """u8);
        }
        packed.Position = 0;
        var index = new PackageIndex();
        foreach (var package in Noble.Read(packed, new ArchiveIndex("", ".gz")))
            index.Add(package);

        var resolution = index.Resolve(["app", "curl"]);

        Assert.Equal(["ubuntu/pool/a/app_1.10-1_amd64.deb", "ubuntu/pool/d/docs.deb", "ubuntu/pool/i/init.deb", "ubuntu/pool/l/lib_2_all.deb", "ubuntu/pool/p/postman.deb"],
            resolution.Packages.Select(p => p.Path).Order(StringComparer.Ordinal));
        Assert.Equal([("curl", null), ("gone", "lib")], resolution.Unresolved);
    }

    [Theory]
    [InlineData("ubuntu-24.04", CpuArchitecture.X64, "cache:ubuntu", "ubuntu/dists/noble/InRelease", "ubuntu/dists/noble-updates/InRelease", "ubuntu/dists/noble-backports/InRelease", "ubuntu/dists/noble-security/InRelease", "site/flat/InRelease")]
    [InlineData("ubuntu-22.04", CpuArchitecture.Arm64, "https://mirror.example.com/ports", "site/flat/InRelease")]
    [InlineData("rhel-9", CpuArchitecture.Arm64, "cache:rocky/$releasever", "rocky/9/BaseOS/aarch64/os/repodata/repomd.xml", "rocky/9/AppStream/aarch64/os/repodata/repomd.xml", "site/flat/repodata/repomd.xml")]
    public void A_profile_says_where_its_hosts_look(string release, CpuArchitecture architecture, string mirror, params string[] heads)
    {
        var image = AnswerFixture.Image(release, architecture);
        var options = new InstallOptions { Mirror = mirror, Packages = ["htop"], Repositories = [new PackageRepository { Name = "flat", Url = "cache:site/flat/", Key = "" }, new PackageRepository { Name = "x", Url = "http://x/", Key = "" }] };

        var needs = PackageNeeds.Of(new Profile(new Metadata("worker"), new ProfileSpec { Image = image.Name, Install = options, Cluster = "edge" }), image)!;

        Assert.Equal(heads, needs.Archives.Select(a => a.Head));
        Assert.Equal(mirror.StartsWith("cache:", StringComparison.Ordinal), needs.IsWhole);
        Assert.Superset(new HashSet<string>(["curl", "openssl", "htop", "iptables", release.StartsWith("rhel", StringComparison.Ordinal) ? "containerd.io" : "containerd"]), needs.Names.ToHashSet());
        Assert.Null(PackageNeeds.Of(new Profile(new Metadata("worker"), new ProfileSpec { Image = image.Name, Install = new InstallOptions { Packages = ["htop"] } }), image));
    }

    private static MemoryStream Text(string text) => new(Encoding.UTF8.GetBytes(text));
}
