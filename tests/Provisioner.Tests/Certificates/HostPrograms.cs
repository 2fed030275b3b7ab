using System.Runtime.CompilerServices;
using Provisioner.Tests.Certificates.Keys;

namespace Provisioner.Tests.Certificates;

/// <summary>The openssl and curl of a distribution: what stands in for a host that knows nothing of ours.</summary>
internal sealed class HostPrograms
{
    private readonly string folder;
    private readonly Dictionary<string, string> environment = [];

    private HostPrograms(string folder) => this.folder = folder;

    /// <summary>Those installed here.</summary>
    public static HostPrograms Here()
    {
        Tool.SkipWithout("/usr/bin/openssl", "/usr/bin/curl");
        return new HostPrograms("/usr/bin");
    }

    /// <summary>OpenSSL 1.1.1 and curl 7.74, as Debian 11 has them.</summary>
    public static HostPrograms Bullseye()
    {
        var root = Cached("bullseye");
        Tool.SkipWithout(Path.Combine(root, "usr/bin/openssl"), Path.Combine(root, "usr/bin/curl"));
        return new HostPrograms(Path.Combine(root, "usr/bin"))
        {
            environment =
            {
                ["LD_LIBRARY_PATH"] = Directory.GetDirectories(Path.Combine(root, "usr/lib"), "*-linux-gnu*").Single(),
                ["OPENSSL_CONF"] = Path.Combine(root, "etc/ssl/openssl.cnf"),
            },
        };
    }

    public static HostPrograms Of(string distribution) => distribution == "bullseye" ? Bullseye() : Here();

    /// <summary>Where .ci/install unpacks what is another release's.</summary>
    public static string Cached(string release, [CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "..", ".cache", release));

    /// <summary>Runs it, and fails the test when it fails.</summary>
    public string Openssl(params string[] arguments)
    {
        var (code, output) = TryOpenssl(arguments);
        Assert.True(code == 0, $"openssl {string.Join(' ', arguments)}: {output}");
        return output;
    }

    public (int Code, string Output) TryOpenssl(params string[] arguments) => Tool.Try(Path.Combine(folder, "openssl"), environment, arguments);

    /// <summary>Runs curl, which gives up after a while and trusts nobody but the authorities in that file.</summary>
    public string Curl(string authorities, params string[] arguments)
    {
        // Without --capath, curl trusts the distribution's authorities as well.
        var (code, output) = Tool.Try(Path.Combine(folder, "curl"), environment,
            ["-q", "--silent", "--show-error", "--max-time", "20", "--noproxy", "*", "--cacert", authorities, "--capath", "/nonexistent", .. arguments]);
        Assert.True(code == 0, $"curl {string.Join(' ', arguments)}: {output}");
        return output;
    }
}
