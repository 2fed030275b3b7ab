using System.Collections.Concurrent;
using System.Globalization;
using System.Net.NetworkInformation;
using Provisioner.Protocols;

namespace Provisioner.Boot.Dhcp;

internal enum ProbeResult
{
    Free,
    Taken,

    /// <summary>Not known yet.</summary>
    Pending,
}

/// <summary>Asks whether somebody else than that machine uses the address. Returns at once.</summary>
internal delegate ProbeResult AddressProbe(Ipv4Address address, MacAddress asking);

/// <summary>
/// Asks the wire before an address is offered for the first time (RFC 2131 §2.2): an ICMP echo, and, for machines that do not
/// answer one, whether the kernel learned a neighbour by asking. The packet path never waits for it.
/// </summary>
/// <param name="completed">Told the address when its result is known.</param>
internal sealed class WireProbe(TimeProvider time, ILogger logger, Action<Ipv4Address> completed)
{
    /// <summary>Long enough for a LAN and a rack behind a router, short enough for iPXE, which asks again after one second.</summary>
    private static readonly TimeSpan Wait = TimeSpan.FromMilliseconds(400);

    /// <summary>How long a result holds; longer than an offer does.</summary>
    private static readonly TimeSpan Memory = TimeSpan.FromSeconds(90);

    /// <summary>Past this many at once addresses are offered unasked: a hall of servers that powers on must not wait in line.</summary>
    private const int AtOnce = 256;

    private readonly ConcurrentDictionary<Ipv4Address, (ProbeResult Result, DateTimeOffset Until)> results = new();
    private int running;

    /// <inheritdoc cref="AddressProbe"/>
    public ProbeResult Ask(Ipv4Address address, MacAddress asking)
    {
        var now = time.GetUtcNow();
        if (results.TryGetValue(address, out var known) && known.Until > now)
            return known.Result;
        if (Volatile.Read(ref running) >= AtOnce)
            return ProbeResult.Free;
        Forget(now);
        Interlocked.Increment(ref running);
        results[address] = (ProbeResult.Pending, now + Memory);
        _ = Task.Run(() => AskWireAsync(address, asking));
        return ProbeResult.Pending;
    }

    private async Task AskWireAsync(Ipv4Address address, MacAddress asking)
    {
        var result = ProbeResult.Free;
        try
        {
            var before = Neighbour(address);
            bool answered;
            using (var ping = new Ping())
                answered = (await ping.SendPingAsync(address.ToIPAddress(), Wait)).Status == IPStatus.Success;
            var after = Neighbour(address);
            // The machine itself may still answer at the address it had. A neighbour known before and silent now may be long gone.
            if (after == asking)
                result = ProbeResult.Free;
            else if (answered || after is not null && before is null)
                result = ProbeResult.Taken;
        }
        catch (Exception e) when (e is PingException or InvalidOperationException or PlatformNotSupportedException or IOException or System.Net.Sockets.SocketException)
        {
            DhcpLog.ProbeFailed(logger, address, e.GetBaseException().Message);
        }
        finally
        {
            results[address] = (result, time.GetUtcNow() + Memory);
            Interlocked.Decrement(ref running);
        }
        completed(address);
    }

    private void Forget(DateTimeOffset now)
    {
        if (results.Count < 4 * AtOnce)
            return;
        foreach (var (address, known) in results)
        {
            if (known.Until <= now)
                results.TryRemove(address, out _);
        }
    }

    /// <summary>The kernel's neighbour of that address, when it has answered ARP.</summary>
    private static MacAddress? Neighbour(Ipv4Address address)
    {
        var text = address.ToString();
        foreach (var line in File.ReadLines("/proc/net/arp"))
        {
            // IP address, HW type, Flags, HW address, Mask, Device
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length >= 4 && fields[0] == text && fields[2].StartsWith("0x", StringComparison.Ordinal)
                && int.TryParse(fields[2].AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var flags) && (flags & 2) != 0
                && MacAddress.TryParse(fields[3], out var mac) && !mac.IsZero)
                return mac;
        }
        return null;
    }
}
