using System.Diagnostics;
using Provisioner.Events;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Protocols.Dhcp;

namespace Provisioner.Boot.Dhcp;

/// <summary>
/// Records what was answered and why. A machine that floods, or a thousand of them, fills neither the journal nor the disk: records
/// are limited for each machine and in all, answers never are.
/// </summary>
internal sealed class DhcpRecorder(BootJournal journal, TimeProvider time, ILogger logger)
{
    private const int Machines = 16_384;

    /// <summary>Enough for a whole boot with retries at once, then one every two seconds.</summary>
    private const double MachineBurst = 40, MachineRate = 0.5;

    /// <summary>Two hundred machines that boot at once, then what a store on a slow disk can take.</summary>
    private const double TotalBurst = 4_000, TotalRate = 200;

    private readonly Lock gate = new();
    private readonly Dictionary<MacAddress, Allowance> machines = [];
    private readonly Allowance total = new(TotalBurst);

    /// <summary>Records one message and what was done about it.</summary>
    public void Record(in DhcpPacket packet, in DhcpIngress ingress, DhcpResponse response, Host? host)
    {
        if (response is DhcpResponse.Probing { FoundTaken: false } || !Allow(packet.Chaddr, out var unrecorded))
            return;
        var client = DhcpClient.From(packet);
        var what = What(packet, client, response);
        var reason = unrecorded == 0 ? response.Reason : $"{response.Reason} ({unrecorded} messages before it are not recorded: too many at once)";
        var now = time.GetUtcNow();
        journal.Record(new Event
        {
            At = now,
            Source = ingress.IsProxyPort || response.Network is { Spec.Dhcp: DhcpMode.Proxy } ? EventSource.ProxyDhcp : EventSource.Dhcp,
            Outcome = response switch
            {
                DhcpResponse.Silent or DhcpResponse.Probing => EventOutcome.Silent,
                DhcpResponse.Nak => EventOutcome.Refused,
                _ => EventOutcome.Answered,
            },
            Host = host?.Name,
            MacAddress = packet.Chaddr,
            What = what,
            Reason = reason,
        });
        DhcpLog.Answered(logger, what, reason);

        // A LAN's other machines are no candidates where another server gives the addresses.
        if (host is null && packet.Op == 1 && response.Network is { } network && (client.IsBooting || network.Spec.Dhcp == DhcpMode.Reserve))
        {
            journal.Record(new Sighting(packet.Chaddr, now)
            {
                Architecture = client.IsBooting && client.Architecture != Architecture.Unknown ? BootDecider.Name(client.Architecture) : null,
                Uuid = packet.MachineUuid?.ToString(),
                VendorClass = packet.Text(DhcpOption.VendorClass),
                Address = response is DhcpResponse.Ack { Address: { IsAny: false } address } ? address.ToString() : null,
                Network = network.Name,
            });
        }
    }

    /// <summary>Records bytes that are no DHCP message, under the sender's limit where it has an address.</summary>
    public void RecordRefusal(in DhcpIngress ingress, string reason)
    {
        if (!Allow(default, out var unrecorded))
            return;
        journal.Record(new Event
        {
            At = time.GetUtcNow(),
            Source = ingress.IsProxyPort ? EventSource.ProxyDhcp : EventSource.Dhcp,
            Outcome = EventOutcome.Silent,
            What = $"bytes from {ingress.RemoteAddress}:{ingress.RemotePort} on {ingress.InterfaceName} that are no DHCP message → no answer",
            Reason = unrecorded == 0 ? reason : $"{reason} ({unrecorded} like it are not recorded: too many at once)",
        });
    }

    /// <summary>Records what concerns the service itself.</summary>
    public void RecordService(EventOutcome outcome, string what, string reason) =>
        journal.Record(new Event { At = time.GetUtcNow(), Source = EventSource.Dhcp, Outcome = outcome, What = what, Reason = reason });

    private static string What(in DhcpPacket packet, in DhcpClient client, DhcpResponse response)
    {
        var asked = $"{packet.MessageType.ToString().ToUpperInvariant()} from {client.Describe(packet)}";
        var file = response.File is { } name ? $", file {name}" : "";
        return response switch
        {
            DhcpResponse.Offer offer => $"{asked} → OFFER{Of(offer.Address)}{file}",
            DhcpResponse.Ack ack => $"{asked} → ACK{Of(ack.Address)}{file}",
            DhcpResponse.Nak => $"{asked} → NAK",
            DhcpResponse.Probing => $"{asked} → no answer yet",
            _ => $"{asked} → no answer",
        };
    }

    private static string Of(Ipv4Address address) => address.IsAny ? "" : $" {address}";

    private bool Allow(MacAddress mac, out long unrecorded)
    {
        var now = time.GetTimestamp();
        lock (gate)
        {
            if (!machines.TryGetValue(mac, out var machine))
            {
                // Forgetting all forgets who floods, for a moment; the total still holds.
                if (machines.Count >= Machines)
                    machines.Clear();
                machines[mac] = machine = new Allowance(MachineBurst);
            }
            unrecorded = 0;
            if (!machine.Has(now, MachineBurst, MachineRate, time) || !total.Has(now, TotalBurst, TotalRate, time))
            {
                machine.Unrecorded++;
                return false;
            }
            machine.Left--;
            total.Left--;
            unrecorded = machine.Unrecorded;
            machine.Unrecorded = 0;
            return true;
        }
    }

    /// <summary>A token bucket.</summary>
    [DebuggerDisplay("{Left}")]
    private sealed class Allowance(double burst)
    {
        private long at;

        public double Left { get; set; } = burst;

        public long Unrecorded { get; set; }

        public bool Has(long now, double most, double rate, TimeProvider time)
        {
            if (at != 0)
                Left = Math.Min(most, Left + time.GetElapsedTime(at, now).TotalSeconds * rate);
            at = now;
            return Left >= 1;
        }
    }
}
