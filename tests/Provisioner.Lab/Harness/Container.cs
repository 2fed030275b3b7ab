using System.Globalization;

namespace Provisioner.Lab.Harness;

/// <summary>
/// A Debian of its own under a real systemd (systemd-nspawn), with no network but its own: packages are installed there. What is written goes into a
/// layer above the tree that .ci/container built, and is gone with it.
/// </summary>
internal sealed class Container : IAsyncDisposable
{
    private static readonly TimeSpan BootLimit = TimeSpan.FromMinutes(2);

    private readonly string directory;
    private LabProcess? nspawn;
    private string? leader;

    private Container(string directory) => this.directory = directory;

    /// <summary>Its root directory, seen from outside.</summary>
    public string Root => Path.Combine(directory, "root");

    /// <summary>Skips the running test unless one can be booted here.</summary>
    public static void SkipWithout()
    {
        var tree = Path.Combine(Prerequisites.Repository, ".cache", "container", "root");
        var missing = !Environment.IsPrivilegedProcess ? "it needs root"
            : Prerequisites.Find("systemd-nspawn") is null ? "systemd-nspawn is not installed (.ci/install container)"
            : Directory.Exists(tree) ? null : $"{tree} is not there (.ci/install container)";
        if (missing is null)
            return;
        if (Environment.GetEnvironmentVariable("PROVISIONER_CONTAINER_REQUIRED") is { Length: > 0 })
            Assert.Fail($"The packages must be tried here, and cannot: {missing}");
        Assert.Skip(missing);
    }

    public static async Task<Container> BootAsync()
    {
        var container = new Container(Path.Combine(Path.GetTempPath(), Leftovers.NewName()));
        Leftovers.OwnDirectory(container.directory);
        foreach (var part in new[] { "root", "above", "work" })
            Directory.CreateDirectory(Path.Combine(container.directory, part));
        (await LabProcess.RunAsync("mount", ["-t", "overlay", "overlay", "-o",
            $"lowerdir={Prerequisites.Repository}/.cache/container/root,upperdir={container.directory}/above,workdir={container.directory}/work", container.Root])).OrThrow();
        await container.StartAsync();
        return container;
    }

    /// <summary>Runs a program inside to its end.</summary>
    public Task<CommandResult> RunAsync(string program, params string[] arguments) =>
        LabProcess.RunAsync("nsenter", ["--target", leader!, "--all", program, .. arguments], TimeSpan.FromMinutes(5));

    /// <summary>Runs a shell's commands inside, which have to succeed.</summary>
    public async Task<string> ShellAsync(string commands) => (await RunAsync("sh", "-ec", commands)).OrThrow().Output;

    /// <summary>Asks until it says so.</summary>
    public async Task<string> UntilAsync(string commands, Func<string, bool> says, string what)
    {
        var last = "";
        for (var i = 0; i < 600; i++)
        {
            last = (await RunAsync("sh", "-c", commands)).Text;
            if (says(last))
                return last;
            await Task.Delay(100);
        }
        throw new LabException($"It is not so that {what}. '{commands}' says:\n{last}\n{(await RunAsync("journalctl", "-u", "provisioner", "-n", "40", "--no-pager")).Text}");
    }

    /// <summary>Waits until it was turned off from inside.</summary>
    public Task<int> WaitForEndAsync() => nspawn!.WaitForExitAsync(TimeSpan.FromMinutes(1));

    public async ValueTask DisposeAsync()
    {
        if (nspawn is not null)
        {
            // Its first process ends with it.
            nspawn.Kill();
            await nspawn.DisposeAsync();
        }
        await LabProcess.RunAsync("umount", ["--lazy", Root]);
        Directory.Delete(directory, recursive: true);
        Leftovers.DisownDirectory(directory);
    }

    private async Task StartAsync()
    {
        nspawn = LabProcess.Start("systemd-nspawn", "--directory", Root, "--register=no", "--keep-unit", "--machine", Path.GetFileName(directory),
            "--private-network", "--console=read-only", "--boot");
        using var limit = new CancellationTokenSource(BootLimit);
        while (true)
        {
            if (nspawn.HasExited || limit.IsCancellationRequested)
                throw new LabException($"The container does not boot:\n{nspawn.Tail()}");
            var children = await LabProcess.RunAsync("pgrep", ["--parent", nspawn.Id.ToString(CultureInfo.InvariantCulture)]);
            leader = children.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault();
            if (leader is not null && (await RunAsync("systemctl", "is-system-running")).Output.Trim() is "running" or "degraded")
                return;
            await Task.Delay(100, CancellationToken.None);
        }
    }
}
