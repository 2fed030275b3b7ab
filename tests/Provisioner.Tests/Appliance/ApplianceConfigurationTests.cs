using Provisioner.Appliance;
using Provisioner.Auth;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Tests.Appliance;

public sealed class ApplianceConfigurationTests
{
    [Fact]
    public void Nothing_at_all_is_a_configuration()
    {
        Assert.Equal(8080, ApplianceConfiguration.Read("").Http.Port);
        Assert.Equal(8080, ApplianceConfiguration.Read("# only a comment\n").Http.Port);
        Assert.Equal(new StoreLimits().Events, ApplianceConfiguration.Read("{}").Events.Retention);
    }

    [Fact]
    public void Reads_every_key()
    {
        var options = ApplianceConfiguration.Read("""
            data: /srv/data
            socket: /run/p.sock
            http: { address: 10.77.0.1, port: 80 }
            tftp: { address: 0.0.0.0, port: 1069, maxBlockSize: 8192, maxWindowSize: 16, maxSessions: 9 }
            dhcp: { port: 1067, proxyPort: 14011 }
            loaders: [/usr/lib]
            events: { retention: 5000 }
            """);
        Assert.Equal(("/srv/data", "/run/p.sock", "10.77.0.1", 80), (options.DataDirectory, options.SocketPath, options.Http.Address.ToString(), options.Http.Port));
        Assert.Equal(new TftpSettings { Port = 1069, MaxBlockSize = 8192, MaxWindowSize = 16, MaxSessions = 9 }, options.Tftp);
        Assert.Equal(new DhcpPorts { Port = 1067, ProxyPort = 14011 }, options.Dhcp);
        Assert.Equal(["/usr/lib"], options.Loaders);
        Assert.Equal(5000, options.Events.Retention);
    }

    [Fact]
    public void Reads_the_artifact_cache()
    {
        var artifacts = ApplianceConfiguration.Read("""
            artifacts:
              upstreams:
              - { name: ubuntu, url: "http://10.0.0.5/ubuntu", kind: apt, revalidate: 1h, privateAddresses: true }
              - { name: tools, url: "https://mirror.example.com/t/", kind: files }
              files:
              - { name: fw/a-1.bin, url: "https://vendor.example.com/a", sha256: E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855 }
              maximumSize: 200GB
              maximumAge: 30d
              offline: true
            """).Artifacts;
        Assert.Equal("http://10.0.0.5/ubuntu/", artifacts.Allowed.Single(u => u.Name == "ubuntu").Url.AbsoluteUri);
        Assert.Equal((TimeSpan.FromHours(1), true), (artifacts.Upstreams[0].Revalidate, artifacts.Upstreams[0].PrivateAddresses));
        Assert.Contains(artifacts.Allowed, u => u.Name == "nodeadm");
        Assert.StartsWith("e3b0", artifacts.Files[0].Sha256, StringComparison.Ordinal);
        Assert.Equal((200_000_000_000, TimeSpan.FromDays(30), true), (artifacts.MaximumSize, artifacts.MaximumAge, artifacts.Offline));
    }

    [Theory]
    [InlineData("artifacts: { upstreams: [{ name: files, url: 'http://a.example/', kind: apt }] }", "artifacts.upstreams[0].name")]
    [InlineData("artifacts: { upstreams: [{ name: a, url: 'http://u:p@a.example/', kind: apt }] }", "artifacts.upstreams[0].url")]
    [InlineData("artifacts: { upstreams: [{ name: a, url: 'file:///etc/', kind: files }] }", "artifacts.upstreams[0].url")]
    [InlineData("artifacts: { upstreams: [{ name: a, url: 'http://a.example/', kind: npm }] }", "artifacts.upstreams[0].kind")]
    [InlineData("artifacts: { files: [{ name: ../a, url: 'http://a.example/', sha256: aa }] }", "artifacts.files[0].name")]
    [InlineData("artifacts: { maximumSize: 5 }", "artifacts.maximumSize")]
    public void Refuses_a_wrong_artifact_cache(string text, string path) =>
        Assert.Contains(path, Assert.Throws<ChangeRefusedException>(() => ApplianceConfiguration.Read(text)).Mistakes.Select(m => m.Path));

    [Fact]
    public void Names_every_mistake_with_its_line()
    {
        var refused = Assert.Throws<ChangeRefusedException>(() => ApplianceConfiguration.Read("""
            data: relative
            htpp: { port: 80 }
            http:
              address: localhost
              port: 70000
            tftp: { maxBlockSize: 7 }
            events: { retention: soon }
            data: /srv
            """));
        Assert.Equal([1, 2, 4, 5, 6, 7, 8], refused.Mistakes.Select(m => m.Line!.Value));
        Assert.Equal(["data", "htpp", "http.address", "http.port", "tftp.maxBlockSize", "events.retention", "data"], refused.Mistakes.Select(m => m.Path));
        Assert.Contains("did you mean 'http'", refused.Mistakes[1].Message, StringComparison.Ordinal);
        Assert.All(refused.Mistakes, m => Assert.NotNull(m.Expected));
    }

    [Theory]
    [InlineData("dhcp: { port: 67, proxyPort: 67 }", "dhcp.proxyPort")]
    [InlineData("{ dhcp: { port: 69 }, tftp: { port: 69 } }", "dhcp.port")]
    [InlineData("loaders: [/nowhere/at/all]", "loaders[0]")]
    [InlineData("[1, 2]", null)]
    [InlineData("http: 8080", "http")]
    public void Refuses_what_does_not_go_together(string text, string? path) =>
        Assert.Equal(path, Assert.Throws<ChangeRefusedException>(() => ApplianceConfiguration.Read(text)).Mistakes[0].Path);

    [Fact]
    public void Refuses_a_second_document_and_an_overlong_socket()
    {
        Assert.Throws<ChangeRefusedException>(() => ApplianceConfiguration.Read("http: {port: 1}\n---\nhttp: {port: 2}\n"));
        Assert.Contains("107 bytes", Assert.Throws<ChangeRefusedException>(() => ApplianceConfiguration.Read($"socket: /{new string('a', 120)}")).Message, StringComparison.Ordinal);
    }

    /// <summary>What a package installs names every key, and each line is right once its '#' is taken away.</summary>
    [Fact]
    public void The_packaged_file_says_what_there_is()
    {
        var lines = File.ReadAllLines(Path.Combine(Repository.Root, "appliance", "provisioner.yaml")).Where(l => System.Text.RegularExpressions.Regex.IsMatch(l, "^#[a-z]")).Select(l => l[1..]).ToList();
        var read = ApplianceConfiguration.Read(string.Join('\n', lines));
        Assert.Equal(new StoreLimits().Events, read.Events.Retention);
        Assert.Equal(new AccessOptions().SessionIdle, read.Access.SessionIdle);
        Assert.Equal(new EventSettings().KeepFor, read.Events.KeepFor);
        Assert.Equal(ApplianceConfiguration.Fields.Select(f => f.Name).Order(StringComparer.Ordinal), lines.Select(l => l[..l.IndexOf(':', StringComparison.Ordinal)]).Order(StringComparer.Ordinal));
    }
}
