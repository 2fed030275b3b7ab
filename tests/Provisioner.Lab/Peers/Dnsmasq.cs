using Provisioner.Lab.Harness;

namespace Provisioner.Lab.Peers;

/// <summary>dnsmasq beside our service: the DHCP server we proxy for, or the relay we are behind.</summary>
internal static class Dnsmasq
{
    /// <summary>A DHCP server that gives addresses and knows nothing of booting, as a router at a site does.</summary>
    public static Task<LabProcess> StartServerAsync(NetworkNamespace on, string range, string router) => StartAsync(on, 0,
        "--dhcp-authoritative",
        $"--dhcp-range={range},255.255.255.0,10m",
        $"--dhcp-option=option:router,{router}",
        "--dhcp-leasefile=/dev/null");

    /// <summary>A relay agent (RFC 1542) with an address on the machines' segment, for a server on another.</summary>
    public static Task<LabProcess> StartRelayAsync(NetworkNamespace on, string local, string server) => StartAsync(on, 0,
        $"--dhcp-relay={local},{server}");

    /// <summary>A name server that knows these domains and nothing else; of two that hold a name, the longer is asked.</summary>
    public static Task<LabProcess> StartNameServerAsync(NetworkNamespace on, string listen, params IEnumerable<(string Domain, string Address)> domains) => StartAsync(on, 53,
    [
        "--bind-interfaces", $"--listen-address={listen}",
        .. domains.Select(known => $"--address=/{known.Domain}/{known.Address}"),
    ]);

    private static async Task<LabProcess> StartAsync(NetworkNamespace on, int port, params string[] role)
    {
        // Port 0: no DNS. --conf-file= and --user: nothing of this machine's own configuration or accounts.
        var process = on.Start("dnsmasq", ["--no-daemon", "--conf-file=/dev/null", $"--port={port}", "--user=root", "--log-dhcp", "--no-ping", "--no-resolv", "--no-hosts", .. role]);
        await process.WaitForLineAsync("started, version", TimeSpan.FromSeconds(10));
        return process;
    }
}
