using System.Globalization;
using System.Text.Json;

namespace Provisioner.Lab.Harness;

/// <summary>
/// The appliance's image on a virtual machine of its own, on the lab's LAN: its own firmware, kernel and systemd. It is set up by a file of answers,
/// and asked by HTTPS as from anywhere; a serial line of the lab's own lets a test look inside.
/// </summary>
internal sealed class ApplianceMachine : IAsyncDisposable
{
    /// <summary>Its address on the LAN.</summary>
    public const string Address = "10.77.0.2";

    /// <summary>Of the disk it is put on, which is larger than the image.</summary>
    public const long DiskBytes = 6L << 30;

    /// <summary>Its own start, and one of the service's in it, in software emulation on a busy machine of two cores.</summary>
    private static readonly TimeSpan UpWithin = TimeSpan.FromMinutes(15);

    private readonly LabNetwork network;
    private readonly VirtualServer machine;
    private GuestShell? shell;
    private string? authority;
    private string? token;

    private ApplianceMachine(LabNetwork network, VirtualServer machine)
    {
        this.network = network;
        this.machine = machine;
    }

    /// <summary>The image that .ci/install leaves below the repository.</summary>
    private static string Image => Path.Combine(Prerequisites.Repository, ".cache", "appliance", "amd64.img");

    /// <summary>The machine itself: power, console.</summary>
    public VirtualServer Machine => machine;

    /// <summary>Skips the running test unless there is an image to boot.</summary>
    public static void SkipWithout()
    {
        if (File.Exists(Image))
            return;
        var missing = $"{Image} is not there (./test.sh --appliance builds it)";
        if (Environment.GetEnvironmentVariable("PROVISIONER_APPLIANCE_REQUIRED") is { Length: > 0 })
            Assert.Fail($"The appliance's image must be tried here, and cannot: {missing}");
        Assert.Skip(missing);
    }

    /// <summary>Puts the image on a disk, off.</summary>
    /// <param name="network">The LAN.</param>
    /// <param name="answers">Its set-up.</param>
    /// <param name="files">Files in its /etc, as somebody could put there later.</param>
    public static async Task<ApplianceMachine> CreateAsync(LabNetwork network, string answers, IReadOnlyDictionary<string, string> files)
    {
        var disk = Path.Combine(network.Directory, "appliance.img");
        (await LabProcess.RunAsync("cp", ["--sparse=always", Image, disk], TimeSpan.FromMinutes(5))).OrThrow();
        await using (var stream = File.OpenWrite(disk))
            stream.SetLength(DiskBytes);
        await WriteIntoAsync(network, disk, files);
        var credential = Path.Combine(network.Directory, "setup.credential");
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite };
        await using (var writer = new StreamWriter(credential, options))
            await writer.WriteAsync(answers);
        return new ApplianceMachine(network, new VirtualServer(network.Appliance, LabNetwork.Bridge, Firmware.UefiX64, "52:54:00:77:00:02", network.Directory)
        {
            Disk = disk,
            StartsFromDisk = true,
            MemoryMegabytes = 2048,
            Processors = 2,
            Credentials = new Dictionary<string, string>(StringComparer.Ordinal) { ["provisioner.setup"] = credential },
            ShellSocket = Path.Combine(network.Directory, "appliance.shell"),
        });
    }

    public async Task PowerOnAsync()
    {
        await machine.PowerOnAsync();
        shell = new GuestShell(machine.ShellSocket!);
    }

    /// <summary>Pulls the plug: what it had not written to its disk yet is lost.</summary>
    public async Task KillAsync()
    {
        await machine.KillAsync();
        await LeaveAsync();
    }

    /// <summary>Waits until its start is over, and tells systemd's word for how it went.</summary>
    public async Task<string> WaitUntilUpAsync() => (await RunAsync("systemctl is-system-running --wait", UpWithin)).Output.Trim();

    /// <summary>Runs a bash script in it as root and gives what it said.</summary>
    public async Task<CommandResult> RunAsync(string script, TimeSpan? limit = null)
    {
        try
        {
            return await (shell ?? throw new InvalidOperationException("The appliance is off.")).RunAsync(script, limit ?? TimeSpan.FromMinutes(3));
        }
        catch (LabException e)
        {
            throw new LabException($"{e.Message}\nThe appliance's console ends:\n{machine.SerialTail(60)}");
        }
    }

    /// <summary>Runs a bash script in it as root that must succeed, and gives its standard output.</summary>
    public async Task<string> DoAsync(string script, TimeSpan? limit = null) => (await RunAsync(script, limit)).OrThrow().Output;

    /// <summary>Has a token made in it, and asks by that from now on.</summary>
    public async Task LetInAsync()
    {
        token = (await DoAsync("provisioner token create lab --role admin --lifetime 1d")).Trim();
        authority = Path.Combine(network.Directory, "appliance-ca.pem");
        await File.WriteAllTextAsync(authority, await DoAsync("provisioner ca show --pem"));
    }

    /// <summary>Runs a <c>provisioner</c> command against it, from elsewhere on the LAN.</summary>
    public Task<CommandResult> AskAsync(string[] arguments, string? input = null) => network.Appliance.RunAsync("env",
        [$"PROVISIONER_TOKEN={token}", ServiceProcess.ProgramFile, .. arguments, "--server", $"https://{Address}:8443", "--ca", authority!], TimeSpan.FromMinutes(5), input);

    /// <summary>Runs a <c>provisioner</c> command against it that must succeed, and gives its standard output.</summary>
    public async Task<string> AskAsync(params string[] arguments) => (await AskAsync(arguments, null)).OrThrow().Output;

    /// <summary>Applies resources, written in YAML.</summary>
    public async Task ApplyAsync(string yaml) => (await AskAsync(["apply", "-f", "-"], yaml)).OrThrow();

    /// <summary>Everything recorded about a host or MAC address, oldest first.</summary>
    public async Task<IReadOnlyList<RecordedEvent>> EventsAsync(string host) =>
        JsonSerializer.Deserialize(await AskAsync("events", host, "-o", "json", "-n", "1000"), LabJson.Default.RecordedEventArray) ?? [];

    public async ValueTask DisposeAsync()
    {
        await LeaveAsync();
        await machine.DisposeAsync();
    }

    private async Task LeaveAsync()
    {
        if (shell is not null)
            await shell.DisposeAsync();
        shell = null;
    }

    /// <summary>Puts files where what is written into its /etc is kept, on the data partition, and with them the end of the lab's own line.</summary>
    private static async Task WriteIntoAsync(LabNetwork network, string disk, IReadOnlyDictionary<string, string> files)
    {
        using var table = JsonDocument.Parse((await LabProcess.RunAsync("sfdisk", ["--json", disk])).OrThrow().Output);
        var data = table.RootElement.GetProperty("partitiontable").GetProperty("partitions").EnumerateArray().Single(p => p.GetProperty("name").GetString() == "provisioner-data");
        var (start, size) = (data.GetProperty("start").GetInt64() * 512, data.GetProperty("size").GetInt64() * 512);
        var at = Path.Combine(network.Directory, "data");
        Directory.CreateDirectory(at);
        (await LabProcess.RunAsync("mount", ["-o", string.Create(CultureInfo.InvariantCulture, $"loop,offset={start},sizelimit={size}"), disk, at])).OrThrow();
        try
        {
            var etc = Path.Combine(at, "lib", "appliance", "etc", "upper");
            foreach (var (name, content) in files)
                await WriteAsync(Path.Combine(etc, name), content);
            await WriteAsync(Path.Combine(etc, "lab", "shell"), GuestShell.Program);
            File.SetUnixFileMode(Path.Combine(etc, "lab", "shell"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            var units = Path.Combine(etc, "systemd", "system");
            await WriteAsync(Path.Combine(units, "lab-shell.service"), GuestShell.Unit("/etc/lab/shell"));
            Directory.CreateDirectory(Path.Combine(units, "multi-user.target.wants"));
            File.CreateSymbolicLink(Path.Combine(units, "multi-user.target.wants", "lab-shell.service"), "/etc/systemd/system/lab-shell.service");
        }
        finally
        {
            (await LabProcess.RunAsync("umount", [at])).OrThrow();
        }
    }

    private static async Task WriteAsync(string path, string content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        await File.WriteAllTextAsync(path, content.ReplaceLineEndings("\n"));
    }
}
