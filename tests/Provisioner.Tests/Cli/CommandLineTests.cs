using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Provisioner.Events;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Images;

namespace Provisioner.Tests.Cli;

public sealed partial class CommandLineTests : IAsyncLifetime
{
    private readonly TemporaryDirectory directory = new();
    private RunningAppliance appliance = null!;

    public async ValueTask InitializeAsync() => appliance = await RunningAppliance.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await appliance.DisposeAsync();
        directory.Dispose();
    }

    [Fact]
    public async Task A_host_is_described_built_watched_and_forgotten()
    {
        BootFiles.WriteTo(directory["os"], BootFiles.Debian());
        Assert.Contains("image/debian-12 imported: 6 files", (await appliance.RunAsync("image", "import", directory["os"], "--name", "debian-12", "--distribution", "debian")).Succeeded(), StringComparison.Ordinal);
        File.WriteAllText(directory["site.yaml"], $"{Site.Profile}\n---\n{Site.Network}\n---\n{Site.Host}");
        Assert.Equal("profile/worker created (dry run)\nnetwork/lab created (dry run)\nhost/web-1 created (dry run)\n", (await appliance.RunAsync("apply", "-f", directory["site.yaml"], "--dry-run")).Succeeded());
        Assert.Empty(appliance.Snapshot.Hosts);
        Assert.Equal("profile/worker created\nnetwork/lab created\nhost/web-1 created\n", (await appliance.RunAsync("apply", "-f", directory["site.yaml"])).Succeeded());
        Assert.Contains("Watch: provisioner events web-1 --follow", (await appliance.RunAsync("provision", "web-1", "--window", "30m")).Succeeded(), StringComparison.Ordinal);
        Assert.Equal("NAME   STATE    ARCH    PROFILE  MAC\nweb-1  Waiting  x86_64  worker   52:54:00:12:34:56\n", (await appliance.RunAsync("get", "hosts")).Succeeded());
        Assert.Contains("install debian-12", (await appliance.RunAsync("explain", "52-54-00-12-34-56", "--client", "http-x64")).Succeeded(), StringComparison.Ordinal);
        Assert.StartsWith("#!ipxe", (await appliance.RunAsync("render", "web-1", "ipxe")).Succeeded(), StringComparison.Ordinal);
        var described = (await appliance.RunAsync("describe", "host", "web-1")).Succeeded();
        Assert.Contains("What it would boot now:", described, StringComparison.Ordinal);
        Assert.Contains("Installation opened", described, StringComparison.Ordinal);
        (await appliance.RunAsync("cancel", "web-1")).Succeeded();
        Assert.Equal("host/web-1 deleted\n", (await appliance.RunAsync("delete", "host", "web-1")).Succeeded());
        Assert.Contains("Host web-1 deleted", (await appliance.RunAsync("events", "web-1")).Succeeded(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_profile_with_another_sites_upstreams_is_told_before_the_host_boots()
    {
        BootFiles.WriteTo(directory["os"], BootFiles.Debian());
        (await appliance.RunAsync("image", "import", directory["os"], "--name", "debian-12", "--distribution", "ubuntu", "--os-version", "24.04")).Succeeded();
        File.WriteAllText(directory["site.yaml"], $"apiVersion: provisioner/v1\nkind: Profile\nmetadata: {{name: worker}}\nspec: {{image: debian-12, install: {{mirror: \"cache:elsewhere\"}}}}\n---\n{Site.Network}\n---\n{Site.Host}");
        (await appliance.RunAsync("apply", "-f", directory["site.yaml"])).Succeeded();

        var refused = await appliance.RunAsync("provision", "web-1");

        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("Profile worker takes packages from cache:elsewhere, and this appliance's artifacts.upstreams have no 'elsewhere'; there are none", refused.Error, StringComparison.Ordinal);
        Assert.Empty(appliance.Snapshot.Installations);
    }

    [Theory]
    [InlineData("host")]
    [InlineData("HOSTS")]
    [InlineData("h")]
    [InlineData("img")]
    [InlineData("profile")]
    [InlineData("net")]
    [InlineData("discovered")]
    [InlineData("inst")]
    [InlineData("leases")]
    [InlineData("events")]
    public async Task Every_kind_can_be_listed_by_each_of_its_names_in_every_format(string kind)
    {
        foreach (var format in new[] { "table", "wide", "yaml", "json" })
            Assert.Equal(0, (await appliance.RunAsync("get", kind, "-o", format)).ExitCode);
        Assert.NotNull(JsonNode.Parse((await appliance.RunAsync("get", kind, "-o", "json")).Output)!["items"]);
    }

    [Fact]
    public async Task What_get_prints_as_YAML_can_be_applied()
    {
        await ImportAsync();
        await appliance.ApplyAsync($"{Site.Profile}\n---\n{Site.Host}");
        var yaml = (await appliance.RunAsync("get", "hosts", "-o", "yaml")).Succeeded();
        var again = await CommandOutcome.OfAsync(yaml, ["apply", "-f", "-", "--socket", appliance.SocketPath]);
        Assert.Equal("host/web-1 unchanged\n", again.Succeeded());
    }

    [Fact]
    public async Task Mistakes_are_told_with_file_and_line()
    {
        File.WriteAllText(directory["bad.yaml"], "apiVersion: provisioner/v1\nkind: Profile\nmetadata: { name: p }\nspec: { image: [], colour: red }\n");
        var outcome = await appliance.RunAsync("apply", "-f", directory["bad.yaml"]);
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains($"provisioner: {directory["bad.yaml"]}: line 4, column ", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("spec.colour", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("cannot be read", (await appliance.RunAsync("apply", "-f", directory["nope.yaml"])).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("get", "hsots")]
    [InlineData("get", "hosts", "-o", "xml")]
    [InlineData("get")]
    [InlineData("provision")]
    [InlineData("provision", "web-1", "--window", "soon")]
    [InlineData("adopt", "02:00:00:00:00:01")]
    [InlineData("render", "web-1", "preseed")]
    [InlineData("explain", "02:00:00:00:00:01", "--client", "amiga")]
    [InlineData("events", "web-1", "--limit", "0")]
    [InlineData("image", "import", "/tmp")]
    [InlineData("delete", "event", "1")]
    [InlineData("frobnicate")]
    public async Task Wrong_usage_ends_with_2_and_points_to_the_help(params string[] args)
    {
        var outcome = await appliance.RunAsync(args);
        Assert.Equal(2, outcome.ExitCode);
        Assert.StartsWith("provisioner: ", outcome.Error, StringComparison.Ordinal);
        Assert.Equal("", outcome.Output);
    }

    [Theory]
    [InlineData("provision", "nope")]
    [InlineData("cancel", "nope")]
    [InlineData("get", "host", "nope")]
    [InlineData("describe", "host", "nope")]
    [InlineData("delete", "host", "nope")]
    [InlineData("events", "nope")]
    [InlineData("adopt", "02:00:00:00:00:01", "--name", "x")]
    [InlineData("explain", "nonsense")]
    [InlineData("image", "verify", "nope")]
    [InlineData("image", "import", "/nowhere/at/all", "--name", "x")]
    public async Task Refusals_end_with_1_and_a_reason(params string[] args)
    {
        var outcome = await appliance.RunAsync(args);
        Assert.Equal(1, outcome.ExitCode);
        Assert.StartsWith("provisioner: ", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_teaches_even_where_something_is_missing()
    {
        foreach (var args in new[] { new[] { "image", "import", "--help" }, ["adopt", "-h"], ["serve", "--help"] })
        {
            var outcome = await appliance.RunAsync(args);
            Assert.Contains("Examples:", outcome.Succeeded(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task What_can_be_read_as_JSON_can_be_read_as_YAML_and_says_the_same()
    {
        (await CommandOutcome.OfAsync("", ["man", directory["man"]])).Succeeded();
        var formats = Directory.EnumerateFiles(directory["man"]).SelectMany(File.ReadLines).Where(line => FormatList().IsMatch(line)).ToList();
        Assert.InRange(formats.Count, 15, 40);
        Assert.All(formats, line => Assert.Contains("yaml", line, StringComparison.Ordinal));

        await appliance.ApplyAsync(Site.Network);
        foreach (var command in new[] { "events", "explain 52:54:00:12:34:56", "ca show", "cache list", "idle" })
        {
            var json = (await appliance.RunAsync([.. command.Split(' '), "-o", "json"])).Succeeded();
            Assert.Equal(YamlWriter.Write(JsonNode.Parse(json)!), (await appliance.RunAsync([.. command.Split(' '), "-o", "yaml"])).Succeeded());
        }
    }

    [GeneratedRegex("(^|, )json(,|\\.$|$)")]
    private static partial Regex FormatList();

    [Fact]
    public async Task A_service_that_does_not_run_is_said_with_how_to_start_it()
    {
        var outcome = await CommandOutcome.OfAsync("", ["get", "hosts", "--socket", directory["nobody.sock"]]);
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("the service is not running", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("provisioner serve", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tables_and_timelines_fit_80_columns()
    {
        await ImportAsync();
        await appliance.ApplyAsync($"{Site.Profile}\n---\n{Site.Network}\n---\n{Site.Host}");
        await appliance.Writer.ChangeAsync(editor =>
        {
            editor.Put(new Sighting(MacAddress.Parse("02:00:00:00:00:07"), editor.Now) { Architecture = "UEFI x64", Manufacturer = "QEMU", Product = "Standard PC" }.Merge(null, null));
            editor.Record(new Event { At = editor.Now, Source = EventSource.ProxyDhcp, Outcome = EventOutcome.Silent, Host = "web-1", What = string.Join(' ', Enumerable.Repeat("word", 60)), Reason = string.Join(' ', Enumerable.Repeat("because", 40)) });
            return 0;
        });
        foreach (var args in new[] { new[] { "get", "hosts" }, ["get", "profiles"], ["get", "images"], ["get", "networks"], ["get", "clusters"], ["get", "discovered"], ["events", "web-1"], ["status"], ["explain", "52:54:00:12:34:56"], ["image", "list"] })
        {
            foreach (var line in (await appliance.RunAsync(args)).Succeeded().Split('\n'))
                Assert.True(line.Length <= 80 || line.Contains(appliance.SocketPath, StringComparison.Ordinal) || line.Contains("up for", StringComparison.Ordinal), $"{string.Join(' ', args)}: {line}");
        }
        Assert.Contains("[silent]", (await appliance.RunAsync("events", "web-1")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Events_are_followed_until_the_service_stops()
    {
        await ImportAsync();
        var following = appliance.RunAsync("events", "--follow", "-o", "json");
        await Task.Delay(300);
        await appliance.ApplyAsync(Site.Profile);
        await Task.Delay(300);
        await appliance.DisposeAsync();
        var outcome = await following;
        var lines = outcome.Succeeded().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("Profile/worker", JsonNode.Parse(lines[^1])!["subject"]!.ToString());
        appliance = await RunningAppliance.StartAsync();
    }

    [Fact]
    public async Task Hosts_are_watched_until_the_service_stops()
    {
        await using var own = await RunningAppliance.StartAsync();
        await own.ApplyAsync($"{Site.Network}\n---\n{Site.Host.Replace(", profile: worker", "", StringComparison.Ordinal)}");
        var watching = own.RunAsync("get", "hosts", "--watch");
        for (var i = 0; i < 3 && !watching.IsCompleted; i++)
            await Task.Delay(200);
        await own.DisposeAsync();
        Assert.Contains("web-1                    Registered", (await watching).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Links_inside_the_directory_are_followed()
    {
        BootFiles.WriteTo(directory["os"], BootFiles.Debian());
        File.CreateSymbolicLink(directory["os/linux"], "debian-installer/amd64/linux");
        Directory.CreateSymbolicLink(directory["os/grub"], "debian-installer/amd64/grub");
        Directory.CreateSymbolicLink(directory["linked"], directory["os"]);
        (await appliance.RunAsync("image", "import", directory["linked"], "--name", "i", "--kernel", "linux")).Succeeded();
        var image = appliance.Snapshot.Images["i"];
        Assert.Equal("linux", image.Spec.Kernel);
        Assert.Equal(image.File("debian-installer/amd64/linux")!.Sha256, image.File("linux")!.Sha256);
        Assert.NotNull(image.File("grub/grub.cfg"));
    }

    [Fact]
    public async Task What_leaves_the_directory_or_is_no_plain_file_is_refused_by_name()
    {
        BootFiles.WriteTo(directory["os"], ("linux", BootFiles.BzImage()));
        File.WriteAllText(directory["secret"], "x");
        File.CreateSymbolicLink(directory["os/relative"], "../secret");
        File.CreateSymbolicLink(directory["os/absolute"], "/etc/passwd");
        File.CreateSymbolicLink(directory["os/dangling"], "nowhere");
        File.CreateSymbolicLink(directory["os/self"], "self");
        Directory.CreateSymbolicLink(directory["os/loop"], ".");
        Directory.CreateSymbolicLink(directory["os/out"], "..");
        File.CreateSymbolicLink(directory["os/through"], "out/secret");
        using (var mkfifo = Process.Start("mkfifo", [directory["os/pipe"]]))
            await mkfifo.WaitForExitAsync();
        var outcome = await appliance.RunAsync("image", "import", directory["os"], "--name", "i");
        Assert.Equal(1, outcome.ExitCode);
        foreach (var name in new[] { "relative", "absolute", "dangling", "self", "loop", "out", "through", "pipe" })
            Assert.Contains($"provisioner: '{name}' is ", outcome.Error, StringComparison.Ordinal);
        Assert.Empty(appliance.Snapshot.Images);
    }

    [Fact]
    public async Task Adoption_by_command()
    {
        await ImportAsync();
        await appliance.ApplyAsync(Site.Profile);
        await appliance.Writer.ChangeAsync(editor =>
        {
            editor.Put(new Sighting(MacAddress.Parse("02:00:00:00:00:07"), editor.Now) { Architecture = "UEFI x64" }.Merge(null, null));
            return 0;
        });
        Assert.Contains("02:00:00:00:00:07", (await appliance.RunAsync("get", "discovered")).Succeeded(), StringComparison.Ordinal);
        Assert.Contains("host/db-1 registered as x86_64.", (await appliance.RunAsync("adopt", "0200.0000.0007", "--name", "db-1", "--profile", "worker")).Succeeded(), StringComparison.Ordinal);
        Assert.Contains("db-1", (await appliance.RunAsync("events", "db-1")).Succeeded(), StringComparison.Ordinal);
    }

    private async Task ImportAsync()
    {
        BootFiles.WriteTo(directory["debian"], BootFiles.Debian());
        (await appliance.RunAsync("image", "import", directory["debian"], "--name", "debian-12")).Succeeded();
    }
}
