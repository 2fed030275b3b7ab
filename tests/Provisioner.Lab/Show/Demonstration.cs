using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Provisioner.Lab.Cloud;
using Provisioner.Lab.Harness;

namespace Provisioner.Lab.Show;

/// <summary>
/// The main job for people to watch: the appliance starts in a namespace of its own, beside doubles of AWS and of a cluster; virtual bare-metal
/// servers power on, boot from it, enrol and join, until the cluster says that they are Ready. Each answer they get is printed with its
/// reason as it is given.
/// </summary>
internal sealed class Demonstration(ShowOptions options, Paper paper, CancellationToken interrupted)
{
    /// <summary>From power-on to Ready, for each that is emulated at the same time.</summary>
    private static readonly TimeSpan ReadyLimit = TimeSpan.FromMinutes(10);

    private sealed class Machine(string name, DisklessServer server)
    {
        public string Name => name;

        public DisklessServer Server => server;

        public ConcurrentQueue<RecordedEvent> Events { get; } = new();

        /// <summary>Power-on by the clock that events are dated with.</summary>
        public DateTimeOffset PoweredOnAt { get; set; }

        /// <summary>What it has reached, and how long after power-on.</summary>
        public Dictionary<string, TimeSpan> Reached { get; } = new(StringComparer.Ordinal);

        public string? Failure { get; set; }
    }

    /// <returns>0 when every server became Ready, 1 when one did not.</returns>
    public static async Task<int> RunAsync(string[] arguments)
    {
        if (ShowOptions.Parse(arguments, out var mistake) is not { } options)
        {
            await Console.Error.WriteLineAsync(mistake);
            return 2;
        }
        if (Prerequisites.MissingDiskless(options.Firmware, "dnsmasq", "openssl") is { } missing)
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
        var network = await LabNetwork.CreateAsync();
        await using var cloud = await AwsCloud.CreateAsync(network, isApiReal: false);
        paper.Line($"   a LAN of its own: namespace {network.Appliance.Name}, {LabNetwork.Bridge} with {LabNetwork.Address}/24");
        paper.Line($"   on it doubles of AWS and of an EKS cluster, under their own names: {AwsCloud.Address}");
        var image = SiteImage.Diskless(options.Firmware, await cloud.OverlayAsync());
        await using var site = await Site.CreateAsync(network, options.Firmware, AwsCloud.NetworkSpec, progress: text => paper.Line("   " + text), image: image, settings: cloud.FirstSettings());
        interrupted.ThrowIfCancellationRequested();
        await site.Service.ApplyAsync(AwsCloud.ClusterResource);
        paper.Line($"provisioner aws apply {AwsCloud.Cluster}");
        var applied = await site.Service.DoAsync("aws", "apply", AwsCloud.Cluster);
        foreach (var line in applied.Split('\n').TakeWhile(line => line.Length > 0))
            paper.Line("     " + line);
        await site.RestartServiceAsync(settings: cloud.LastingSettings(applied));
        await site.Service.ApplyAsync(AwsCloud.ProfileResource(options.Firmware, image.Name));
        interrupted.ThrowIfCancellationRequested();

        var machines = new List<Machine>();
        for (var i = 1; i <= options.Machines; i++)
        {
            var (name, mac) = ($"server-{i}", $"52:54:00:77:01:{i:x2}");
            await site.RegisterAsync(name, mac);
            await site.Service.DoAsync("provision", name);
            paper.Line($"   {name} registered with {mac}, an Installation of {image.Name} opened");
            machines.Add(new Machine(name, await site.AddDisklessServerAsync(mac)));
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
                paper.Entry(TimeSpan.Zero, machine.Name, "power", $"on, {machine.Server.Machine.MacAddress}", "", bad: false);
            }
            using var done = CancellationTokenSource.CreateLinkedTokenSource(interrupted);
            var printing = machines.Zip(followers, (machine, follower) => PrintAsync(machine, follower, done.Token)).ToList();
            await WatchAsync(site, machines);
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

    /// <summary>Follows their states until all are Ready, or the time is over.</summary>
    private async Task WatchAsync(Site site, List<Machine> machines)
    {
        var limit = ReadyLimit * machines.Count;
        while (true)
        {
            var hosts = JsonNode.Parse(await site.Service.DoAsync("get", "hosts", "-o", "json"))!["items"]!.AsArray();
            foreach (var machine in machines.Where(m => m.Failure is null && !m.Reached.ContainsKey("Ready")))
            {
                var status = hosts.Single(host => (string?)host!["metadata"]!["name"] == machine.Name)!["status"]!;
                var state = status["state"]!.GetValue<string>();
                if (machine.Reached.TryAdd(state, machine.Server.Machine.SincePowerOn))
                {
                    paper.Entry(machine.Reached[state], machine.Name, "state", state is "Ready" ? paper.Green(state) : paper.Bold(state), (string?)status["reason"] ?? "", bad: state is "Failed");
                    if (state is "Joined")
                    {
                        await machine.Server.DoAsync(AwsCloud.NetworkPlugin);
                        paper.Entry(machine.Server.Machine.SincePowerOn, machine.Name, "cluster", "its network plugin has come to the node", "a stand-in for Cilium's agent, which the cluster would start there", bad: false);
                    }
                }
                if (!machine.Server.Machine.IsOn || machine.Server.Machine.SincePowerOn > limit)
                {
                    machine.Failure = $"{machine.Name} is {state} after {machine.Server.Machine.SincePowerOn.TotalSeconds:F0} s{(machine.Server.Machine.IsOn ? "" : ", and off")}. Its console ends:\n{machine.Server.Machine.SerialTail(15)}";
                    paper.Line(paper.Red(machine.Failure));
                }
            }
            if (machines.TrueForAll(m => m.Failure is not null || m.Reached.ContainsKey("Ready")))
                return;
            await Task.Delay(1000, interrupted);
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
        paper.Line($"   {"server",-9}  {"first answer",12}  {"enrolled",8}  {"joined",7}  {"ready",7}  {"DHCP",4}  {"TFTP",4}  {"HTTP",4}");
        foreach (var machine in machines)
        {
            var answered = machine.Events.Where(e => e.Outcome == "answered").ToList();
            var first = answered.Count == 0 ? "-" : $"{(answered[0].At - machine.PoweredOnAt).TotalSeconds:F1} s";
            string After(params string[] states) => machine.Reached.Where(r => states.Contains(r.Key)).Select(r => $"{r.Value.TotalSeconds:F0} s").FirstOrDefault() ?? "-";
            int Count(params string[] sources) => answered.Count(e => sources.Contains(e.Source));
            // A stage that is over between two looks is not among the states.
            paper.Line($"   {machine.Name,-9}  {first,12}  {After("Enrolled", "Joining"),8}  {After("Joined", "Ready"),7}  {(machine.Failure is null ? paper.Green($"{After("Ready"),7}") : paper.Red($"{"no",7}"))}"
                + $"  {Count("dhcp", "proxyDhcp"),4}  {Count("tftp"),4}  {Count("http"),4}");
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
               provisioner get nodes
               provisioner describe host server-1
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
