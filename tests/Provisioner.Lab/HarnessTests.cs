using Provisioner.Lab.Harness;

namespace Provisioner.Lab;

public sealed class HarnessTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Peers_on_the_bridge_reach_each_other_and_nothing_else()
    {
        Prerequisites.SkipWithout("ping");
        await using var network = await LabNetwork.CreateAsync();
        var peer = await network.AddPeerAsync("peer", "10.77.0.9/24", "52:54:00:00:00:09");

        var near = await peer.RunAsync("ping", ["-c", "1", "-W", "2", LabNetwork.Address]);
        var far = await peer.RunAsync("ping", ["-c", "1", "-W", "2", "192.0.2.1"]);

        Assert.Equal(0, near.ExitCode);
        Assert.NotEqual(0, far.ExitCode);
        Assert.Contains("52:54:00:00:00:09", await peer.IpAsync("link", "show", "eth0"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_is_left_of_a_network_that_was_disposed_of()
    {
        Prerequisites.SkipWithout();
        string name, directory;
        LabProcess inside;
        await using (var network = await LabNetwork.CreateAsync())
        {
            name = network.Appliance.Name;
            directory = network.Directory;
            inside = network.Appliance.Start("sleep", "600");
            Assert.True(File.Exists($"/run/netns/{name}"));
        }

        Assert.False(File.Exists($"/run/netns/{name}"));
        Assert.False(Directory.Exists(directory));
        Assert.Equal(137, await inside.WaitForExitAsync(TimeSpan.FromSeconds(5)));
    }

    [Fact]
    public async Task What_a_killed_lab_left_behind_is_swept_by_the_next()
    {
        Prerequisites.SkipWithout();
        // The process id of a process that has ended.
        await using var dead = LabProcess.Start("true");
        await dead.WaitForExitAsync(TimeSpan.FromSeconds(5));
        var name = $"provisioner-lab-{dead.Id}-1-appliance";
        (await LabProcess.RunAsync("ip", ["netns", "add", name])).OrThrow();
        await using var orphan = LabProcess.Start("ip", "netns", "exec", name, "sleep", "600");
        while (!(await File.ReadAllTextAsync($"/proc/{orphan.Id}/comm", Cancel)).StartsWith("sleep", StringComparison.Ordinal))
            await Task.Delay(20, Cancel);

        await Leftovers.SweepAsync();

        Assert.False(File.Exists($"/run/netns/{name}"));
        Assert.Equal(137, await orphan.WaitForExitAsync(TimeSpan.FromSeconds(5)));
    }

    [Fact]
    public async Task An_overlay_is_an_archive_that_cpio_unpacks()
    {
        Prerequisites.SkipWithout("cpio");
        await using var network = await LabNetwork.CreateAsync();
        var archive = Path.Combine(network.Directory, "overlay.img");
        var overlay = new DisklessOverlay().AddFile("/etc/motto", "odd").AddUnit("motto.service", "[Service]\n", wantedBy: "multi-user.target");

        await File.WriteAllBytesAsync(archive, overlay.Pack(), Cancel);
        (await LabProcess.RunAsync("cpio", ["--extract", "--quiet", "--make-directories", "--directory", network.Directory, "--file", archive])).OrThrow();

        Assert.Equal("odd", await File.ReadAllTextAsync(Path.Combine(network.Directory, "etc/motto"), Cancel));
        Assert.True(File.GetUnixFileMode(Path.Combine(network.Directory, "usr/local/libexec/lab-shell")).HasFlag(UnixFileMode.OtherExecute));
        Assert.Equal("/etc/systemd/system/motto.service",
            new FileInfo(Path.Combine(network.Directory, "etc/systemd/system/multi-user.target.wants/motto.service")).LinkTarget);
    }

    [Theory]
    [InlineData("/lib/systemd/system/x.service")]
    [InlineData("/run/token")]
    [InlineData("etc/motto")]
    public void An_overlay_takes_no_file_that_would_be_lost_or_break_the_image(string path) =>
        Assert.Throws<ArgumentException>(() => new DisklessOverlay().AddFile(path, ""));
}
