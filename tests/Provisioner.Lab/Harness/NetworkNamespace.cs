using System.ComponentModel;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Provisioner.Lab.Harness;

/// <summary>A network namespace: a machine's or a segment's own interfaces, routes and ports, with no way out but what the lab adds.</summary>
internal sealed partial class NetworkNamespace
{
    private readonly List<LabProcess> started = [];
    private int taps;

    private NetworkNamespace(string name) => Name = name;

    public string Name { get; }

    internal static async Task<NetworkNamespace> CreateAsync(string name)
    {
        Leftovers.OwnNamespace(name);
        (await LabProcess.RunAsync("ip", ["netns", "add", name])).OrThrow();
        var created = new NetworkNamespace(name);
        await created.IpAsync("link", "set", "lo", "up");
        return created;
    }

    /// <summary>Runs <c>ip</c> on this namespace.</summary>
    public async Task<string> IpAsync(params string[] arguments) =>
        (await LabProcess.RunAsync("ip", ["-n", Name, .. arguments])).OrThrow().Output;

    /// <summary>Runs a program to its end inside.</summary>
    public Task<CommandResult> RunAsync(string file, IEnumerable<string> arguments, TimeSpan? limit = null, string? input = null) =>
        LabProcess.RunAsync("ip", ["netns", "exec", Name, file, .. arguments], limit, input);

    /// <summary>
    /// Starts a program inside. <c>setsid</c> and <c>ip netns exec</c> replace themselves by it, so signals and the exit code are the
    /// program's own. In a session of its own it does not hear the terminal's Ctrl-C: the lab ends it in order.
    /// </summary>
    public LabProcess Start(string file, params IEnumerable<string> arguments)
    {
        var process = LabProcess.Start("setsid", ["ip", "netns", "exec", Name, file, .. arguments]);
        started.Add(process);
        return process;
    }

    /// <summary>
    /// A connection from this process to a port inside. A socket stays in the namespace of the thread that made it (setns(2)), so a thread of
    /// its own makes it there and ends.
    /// </summary>
    public async Task<Stream> ConnectAsync(IPEndPoint to, CancellationToken cancellation)
    {
        var socket = await MakeSocketAsync(to.AddressFamily);
        try
        {
            await socket.ConnectAsync(to, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>A socket of this process that is bound inside, for a server to listen on.</summary>
    public Socket Bind(IPEndPoint to) => Bind(to, SocketType.Stream, ProtocolType.Tcp);

    /// <summary>A socket of this process that is bound inside, for datagrams.</summary>
    public Socket BindDatagram(IPEndPoint to) => Bind(to, SocketType.Dgram, ProtocolType.Udp);

    private Socket Bind(IPEndPoint to, SocketType type, ProtocolType protocol)
    {
        var socket = MakeSocketAsync(to.AddressFamily, type, protocol).GetAwaiter().GetResult();
        socket.Bind(to);
        return socket;
    }

    /// <summary>Has the programs inside ask that name server. <c>ip netns exec</c> puts the file in the place of this machine's (ip-netns(8)).</summary>
    public async Task UseNameServerAsync(string address)
    {
        Directory.CreateDirectory(Leftovers.ConfigurationOf(Name));
        await File.WriteAllTextAsync(Path.Combine(Leftovers.ConfigurationOf(Name), "resolv.conf"), $"nameserver {address}\n");
    }

    /// <summary>Adds a bridge with an address, in CIDR notation.</summary>
    public async Task AddBridgeAsync(string bridge, string address)
    {
        await IpAsync("link", "add", bridge, "type", "bridge");
        await IpAsync("address", "add", address, "dev", bridge);
        await IpAsync("link", "set", bridge, "up");
        await NoOffloadAsync(bridge);
    }

    /// <summary>Adds a tap interface for a virtual server to a bridge, and gives its name.</summary>
    public async Task<string> AddTapAsync(string bridge)
    {
        var tap = $"tap{taps++}";
        (await RunAsync("ip", ["tuntap", "add", tap, "mode", "tap"])).OrThrow();
        await IpAsync("link", "set", tap, "master", bridge, "up");
        return tap;
    }

    /// <summary>Joins two namespaces by a cable: a pair of interfaces, each with an address when one is given.</summary>
    public static async Task ConnectAsync(NetworkNamespace one, string interfaceOne, NetworkNamespace two, string interfaceTwo)
    {
        await one.IpAsync("link", "add", interfaceOne, "type", "veth", "peer", "name", interfaceTwo, "netns", two.Name);
        await one.IpAsync("link", "set", interfaceOne, "up");
        await two.IpAsync("link", "set", interfaceTwo, "up");
        await one.NoOffloadAsync(interfaceOne);
        await two.NoOffloadAsync(interfaceTwo);
    }

    /// <summary>
    /// A virtual interface leaves checksums to hardware that is not there; clients that read raw packets (dhclient, udhcpc, perfdhcp)
    /// then drop every reply for its wrong UDP checksum.
    /// </summary>
    private async Task NoOffloadAsync(string device) => (await RunAsync("ethtool", ["-K", device, "tx", "off"])).OrThrow();

    internal async Task DeleteAsync()
    {
        // One that has not entered yet is not among the namespace's processes, and would enter after they were ended.
        foreach (var process in started)
            process.Kill();
        var inside = await LabProcess.RunAsync("ip", ["netns", "pids", Name]);
        foreach (var id in inside.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            await LabProcess.RunAsync("kill", ["-KILL", id]);
        await LabProcess.RunAsync("ip", ["netns", "delete", Name]);
        Leftovers.DeleteConfigurationOf(Name);
        Leftovers.DisownNamespace(Name);
    }

    private Task<Socket> MakeSocketAsync(AddressFamily family, SocketType type = SocketType.Stream, ProtocolType protocol = ProtocolType.Tcp)
    {
        var made = new TaskCompletionSource<Socket>(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            try
            {
                const int NewNetwork = 0x4000_0000; // CLONE_NEWNET
                using var handle = File.OpenHandle($"/run/netns/{Name}");
                if (SetNamespace(handle, NewNetwork) != 0)
                    throw new Win32Exception(Marshal.GetLastPInvokeError());
                made.SetResult(new Socket(family, type, protocol));
            }
            catch (Exception e) when (e is IOException or Win32Exception or SocketException)
            {
                made.SetException(e);
            }
        }).Start();
        return made.Task;
    }

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    private static partial int SetNamespace(SafeFileHandle handle, int kind);
}
