using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Provisioner.Lab.Harness;

namespace Provisioner.Lab.Show;

/// <summary>
/// The main job for people to watch: the appliance starts in a namespace of its own, virtual bare-metal servers power on and boot from it,
/// and each answer they get is printed with its reason as it is given.
/// </summary>
internal sealed class Demonstration(ShowOptions options, Paper paper, CancellationToken interrupted)
{
    private sealed class Machine(string name, VirtualServer server)
    {
        public string Name => name;

        public VirtualServer Server => server;

        public ConcurrentQueue<RecordedEvent> Events { get; } = new();

        /// <summary>Power-on by the clock that events are dated with.</summary>
        public DateTimeOffset PoweredOnAt { get; set; }

        public TimeSpan? KernelAfter { get; set; }

        public string? Failure { get; set; }
    }

    /// <returns>0 when every server started its kernel, 1 when one did not.</returns>
    public static async Task<int> RunAsync(string[] arguments)
    {
        if (ShowOptions.Parse(arguments, out var mistake) is not { } options)
        {
            await Console.Error.WriteLineAsync(mistake);
            return 2;
        }
        if (Prerequisites.Missing(options.Firmware) is { } missing)
        {
            await Console.Error.WriteLineAsync($"It cannot be shown here: {missing}.");
            return 1;
        }
        var paper = new Paper();
        var interrupted = Leftovers.EndInOrder();
        try
        {
            return await new Demonstration(options, paper, interrupted).ShowAsync();
        }
        catch (OperationCanceledException) when (interrupted.IsCancellationRequested)
        {
            paper.Line();
            paper.Line("Interrupted. Everything was taken down.");
            return 130;
        }
        catch (LabException failed)
        {
            paper.Line(paper.Red(failed.Message));
            return 1;
        }
    }

    private async Task<int> ShowAsync()
    {
        var whole = Stopwatch.StartNew();
        paper.Step("The appliance");
        await using var site = await Site.CreateAsync(options.Firmware, SiteResources.Reserve, progress: text => paper.Line("   " + text));
        interrupted.ThrowIfCancellationRequested();

        var machines = new List<Machine>();
        for (var i = 1; i <= options.Machines; i++)
        {
            var (name, mac) = ($"server-{i}", $"52:54:00:77:01:{i:x2}");
            await site.RegisterAsync(name, mac);
            await site.Service.DoAsync("provision", name);
            paper.Line($"   {name} registered with {mac}, an Installation of {SiteImage.Installer(options.Firmware).Name} opened");
            machines.Add(new Machine(name, site.AddServer(mac)));
        }

        paper.Line();
        paper.Step($"{Describe(options.Firmware)}: {(machines.Count == 1 ? "it powers on" : $"{machines.Count} of them power on")}");
        paper.Line(paper.Dim("   Time counts from power-on. Software emulation: a real server is several times faster."));
        var followers = new List<LabProcess>();
        try
        {
            foreach (var machine in machines)
            {
                followers.Add(site.Service.StartCommand("events", machine.Name, "--follow", "-o", "json"));
                machine.PoweredOnAt = TimeProvider.System.GetUtcNow();
                await machine.Server.PowerOnAsync();
                paper.Entry(TimeSpan.Zero, machine.Name, "power", $"on, {machine.Server.MacAddress}", "", bad: false);
            }
            using var done = CancellationTokenSource.CreateLinkedTokenSource(interrupted);
            var printing = machines.Zip(followers, (machine, follower) => PrintAsync(machine, follower, done.Token)).ToList();
            await Task.WhenAll(machines.Select(WatchAsync));
            // What the last answers recorded comes a moment after them.
            await Task.Delay(1000, interrupted);
            await done.CancelAsync();
            await Task.WhenAll(printing);
        }
        finally
        {
            foreach (var follower in followers)
                await follower.DisposeAsync();
        }

        Summarise(machines, whole.Elapsed);
        if (options.Keep && !interrupted.IsCancellationRequested)
            await KeepAsync(site);
        return machines.TrueForAll(m => m.Failure is null) ? 0 : 1;
    }

    private async Task WatchAsync(Machine machine)
    {
        try
        {
            await machine.Server.WaitForAsync(Site.BootLimit * options.Machines, interrupted, Site.KernelStarted);
            machine.KernelAfter = machine.Server.SincePowerOn;
            paper.Entry(machine.Server.SincePowerOn, machine.Name, "console", paper.Green(Site.KernelStarted), "its kernel runs the installer's first program", bad: false);
        }
        catch (LabException failed)
        {
            machine.Failure = failed.Message;
            paper.Line(paper.Red(failed.Message));
        }
    }

    /// <summary>Prints each event as it comes, until told to stop.</summary>
    private async Task PrintAsync(Machine machine, LabProcess follower, CancellationToken done)
    {
        var printed = 0;
        while (true)
        {
            var stop = done.IsCancellationRequested;
            var lines = follower.Lines;
            foreach (var line in lines.Skip(printed).Where(line => line.StartsWith('{')))
            {
                if (JsonSerializer.Deserialize(line, LabJson.Default.RecordedEvent) is not { } entry || entry.At < machine.PoweredOnAt)
                    continue;
                machine.Events.Enqueue(entry);
                paper.Entry(entry.At - machine.PoweredOnAt, machine.Name, entry.Source, entry.What, entry.Reason, bad: entry.Outcome is "failed");
            }
            printed = lines.Count;
            if (stop)
                return;
            await Task.WhenAny(Task.Delay(100, CancellationToken.None), Task.Delay(Timeout.Infinite, done));
        }
    }

    private void Summarise(List<Machine> machines, TimeSpan took)
    {
        paper.Line();
        paper.Step("Summary");
        paper.Line($"   {"server",-9}  {"first answer",12}  {"kernel runs",11}  {"DHCP",4}  {"TFTP",4}  {"HTTP",4}  reached");
        foreach (var machine in machines)
        {
            var answered = machine.Events.Where(e => e.Outcome == "answered").ToList();
            var first = answered.Count == 0 ? "-" : $"{(answered[0].At - machine.PoweredOnAt).TotalSeconds:F1} s";
            var kernel = machine.KernelAfter is { } after ? $"{after.TotalSeconds:F1} s" : "-";
            int Count(params string[] sources) => answered.Count(e => sources.Contains(e.Source));
            paper.Line($"   {machine.Name,-9}  {first,12}  {kernel,11}  {Count("dhcp", "proxyDhcp"),4}  {Count("tftp"),4}  {Count("http"),4}  "
                + (machine.Failure is null ? paper.Green("the installer") : paper.Red("not its kernel")));
        }
        paper.Line($"   The whole took {took.TotalSeconds:F0} s.");
    }

    private async Task KeepAsync(Site site)
    {
        paper.Line();
        paper.Step("It stays as it is until Ctrl-C");
        paper.Line($"""
               export PROVISIONER_SOCKET={site.Service.Socket}
               alias provisioner={ServiceProcess.ProgramFile}

               provisioner get hosts
               provisioner events server-1
               provisioner explain 52:54:00:77:01:01
               provisioner status
               ip netns exec {site.Network.Appliance.Name} curl -s http://{LabNetwork.Address}:8080/boot.ipxe
               tail -f {site.Network.Directory}/*-serial-1.log
            """);
        try
        {
            await Task.Delay(Timeout.Infinite, interrupted);
        }
        catch (OperationCanceledException)
        {
            paper.Line();
            paper.Line("Taken down.");
        }
    }

    private static string Describe(Firmware firmware) => firmware switch
    {
        Firmware.UefiX64 => "A bare-metal server, UEFI x86-64 by PXE",
        Firmware.SecureBoot => "A bare-metal server, UEFI x86-64 with Secure Boot on",
        Firmware.UefiArm64 => "A bare-metal server, UEFI arm64 by PXE",
        Firmware.HttpBoot => "A bare-metal server, UEFI x86-64 by HTTP Boot",
        _ => "A bare-metal server, legacy BIOS by PXE",
    };
}
