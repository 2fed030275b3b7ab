using Provisioner.Lab.Harness;

namespace Provisioner.Lab.Peers;

/// <summary>dnsmasq beside our service: the DHCP server we proxy for, or the relay we are behind.</summary>
internal static class Dnsmasq
{
    /// <summary>A DHCP server that gives addresses and knows nothing of booting, as a router at a site does.</summary>
    public static Task<LabProcess> StartServerAsync(NetworkNamespace on, string range, string router) => StartAsync(on,
        "--dhcp-authoritative",
        $"--dhcp-range={range},255.255.255.0,10m",
        $"--dhcp-option=option:router,{router}",
        "--dhcp-leasefile=/dev/null");

    /// <summary>A relay agent (RFC 1542) with an address on the machines' segment, for a server on another.</summary>
    public static Task<LabProcess> StartRelayAsync(NetworkNamespace on, string local, string server) => StartAsync(on,
        $"--dhcp-relay={local},{server}");

    private static async Task<LabProcess> StartAsync(NetworkNamespace on, params string[] role)
    {
        // Port 0: no DNS. --conf-file= and --user: nothing of this machine's own configuration or accounts.
        var process = on.Start("dnsmasq", ["--no-daemon", "--conf-file=/dev/null", "--port=0", "--user=root", "--log-dhcp", "--no-ping", "--no-resolv", "--no-hosts", .. role]);
        await process.WaitForLineAsync("started, version", TimeSpan.FromSeconds(10));
        return process;
    }
}
