using CsCheck;
using Provisioner.Networks;
using Provisioner.Protocols;

namespace Provisioner.Tests.Networks;

public sealed class LeaseTableTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan Hold = TimeSpan.FromSeconds(60);
    private static readonly Ipv4Range Range = new(Ipv4Address.Parse("10.0.0.10"), Ipv4Address.Parse("10.0.0.13"));

    private readonly Dictionary<Ipv4Address, Lease> stored = [];
    private readonly LeaseTable table;
    private DateTimeOffset now = Start;

    public LeaseTableTests() => table = new LeaseTable(lease => stored[lease.Address] = lease);

    [Fact]
    public void Gives_each_machine_an_address_of_its_own_and_says_when_there_is_none()
    {
        Assert.Equal(["10.0.0.10", "10.0.0.11", "10.0.0.12", "10.0.0.13", null], Enumerable.Range(1, 5).Select(i => Offer(i)));
        Assert.Equal("10.0.0.11", Offer(2));
    }

    [Fact]
    public void An_offer_nobody_took_is_given_to_another()
    {
        for (var i = 1; i <= 4; i++)
            Offer(i);
        now += Hold;
        Assert.Equal("10.0.0.10", Offer(5));
        Assert.Empty(stored);
    }

    [Fact]
    public void A_machine_finds_its_ended_address_again_while_there_are_unused_ones()
    {
        Lease(1);
        Lease(2);
        now += TimeSpan.FromDays(1);
        Assert.Equal("10.0.0.12", Offer(3));
        Assert.Equal("10.0.0.11", Offer(2));
    }

    [Fact]
    public void The_address_that_ended_longest_ago_goes_first()
    {
        for (var i = 1; i <= 4; i++)
        {
            Lease(i);
            now += TimeSpan.FromMinutes(1);
        }
        Lease(1);
        now += TimeSpan.FromHours(2);
        Assert.Equal("10.0.0.11", Offer(5));
        Assert.Equal("10.0.0.12", Offer(6));
        Assert.Equal("10.0.0.10", Offer(1));
    }

    [Fact]
    public void A_reserved_address_is_left_out_and_given_once_it_is_free()
    {
        var reserved = Ipv4Address.Parse("10.0.0.10");
        Assert.Equal("10.0.0.11", Offer(1, isReserved: a => a == reserved));
        Offer(2);
        Offer(3);
        Assert.Null(Offer(4, isReserved: a => a == reserved));
        table.ReservationsChanged();
        Assert.Equal("10.0.0.10", Offer(4));
    }

    [Fact]
    public void The_requested_address_is_given_when_it_is_free()
    {
        Assert.Equal("10.0.0.12", Offer(1, "10.0.0.12"));
        Assert.Equal("10.0.0.10", Offer(2, "10.0.0.12"));
        Assert.Equal("10.0.0.11", Offer(3, "10.9.9.9"));
    }

    [Fact]
    public void A_declined_address_rests_then_comes_back()
    {
        Lease(1);
        table.Rest(Mac(1), "lan", Ipv4Address.Parse("10.0.0.10"), now + TimeSpan.FromMinutes(10));
        Assert.True(stored[Ipv4Address.Parse("10.0.0.10")].Declined);
        Assert.Equal("10.0.0.11", Offer(1));
        Offer(2);
        Offer(3);
        Assert.Null(Offer(4));
        now += TimeSpan.FromMinutes(10);
        Assert.NotNull(Offer(4));
    }

    [Fact]
    public void A_released_address_is_free_and_remembered()
    {
        Lease(1);
        Assert.False(table.Release(Mac(2), Ipv4Address.Parse("10.0.0.10"), now));
        Assert.True(table.Release(Mac(1), Ipv4Address.Parse("10.0.0.10"), now));
        Assert.False(table.Release(Mac(1), Ipv4Address.Parse("10.0.0.10"), now));
        Assert.Equal(now, stored[Ipv4Address.Parse("10.0.0.10")].EndsAt);
        Assert.Equal("10.0.0.11", Offer(2));
        Assert.Equal("10.0.0.10", Offer(1));
    }

    [Fact]
    public void Leases_survive_a_restart()
    {
        Lease(1);
        Lease(2);
        var next = new LeaseTable(_ => { });
        next.Load(stored.Values);
        Assert.True(next.HasLease(Mac(1), Ipv4Address.Parse("10.0.0.10"), now));
        Assert.Equal(2, next.Active(now).Length);
        Assert.Equal("10.0.0.12", next.Hold(Mac(3), "lan", Range, default, _ => false, now, Hold)?.ToString());
        Assert.Equal("10.0.0.11", next.Hold(Mac(2), "lan", Range, default, _ => false, now, Hold)?.ToString());
    }

    [Fact]
    public void An_offer_of_the_leased_address_does_not_shorten_the_lease()
    {
        Lease(1);
        Offer(1);
        now += TimeSpan.FromMinutes(30);
        Assert.True(table.HasLease(Mac(1), Ipv4Address.Parse("10.0.0.10"), now));
    }

    /// <summary>Whatever happens in whatever order, no address has two holders, and what is stored says who has what.</summary>
    [Fact]
    public void No_two_machines_ever_hold_one_address() =>
        Gen.Select(Gen.Int[0, 4], Gen.Int[1, 7], Gen.Int[0, 50]).Array[1, 60].Sample(steps =>
        {
            var kept = new Dictionary<Ipv4Address, Lease>();
            var leases = new LeaseTable(lease => kept[lease.Address] = lease);
            var time = Start;
            var held = new Dictionary<Ipv4Address, (int Machine, DateTimeOffset Until)>();
            foreach (var (what, machine, minutes) in steps)
            {
                time += TimeSpan.FromMinutes(minutes);
                var before = leases.AddressOf(Mac(machine), "lan");
                switch (what)
                {
                    case 0 or 1:
                        if (leases.Hold(Mac(machine), "lan", Range, default, _ => false, time, Hold) is { } address && what == 1
                            && leases.TryLease(Mac(machine), "lan", address, time + TimeSpan.FromHours(1), null, time))
                        {
                            Assert.True(!held.TryGetValue(address, out var other) || other.Machine == machine || other.Until <= time, $"{address} has two holders");
                            held[address] = (machine, time + TimeSpan.FromHours(1));
                        }
                        break;
                    case 2 when before is { } mine && leases.Release(Mac(machine), mine, time):
                        held.Remove(mine);
                        break;
                    case 3 when before is { } declined && leases.HasLease(Mac(machine), declined, time):
                        leases.Rest(Mac(machine), "lan", declined, time + TimeSpan.FromMinutes(10));
                        held.Remove(declined);
                        break;
                    case 4:
                        leases.ReservationsChanged();
                        break;
                }
                foreach (var (taken, holder) in held)
                    Assert.True(holder.Until <= time || leases.HasLease(Mac(holder.Machine), taken, time), $"{taken} was taken from its holder");
            }
            var restarted = new LeaseTable(_ => { });
            restarted.Load(kept.Values);
            Assert.Equal(leases.Active(time), restarted.Active(time));
        }, iter: 2_000);

    private static MacAddress Mac(int i) => new(0x525400770000UL + (uint)i);

    private string? Offer(int machine, string requested = "0.0.0.0", Func<Ipv4Address, bool>? isReserved = null) =>
        table.Hold(Mac(machine), "lan", Range, Ipv4Address.Parse(requested), isReserved ?? (_ => false), now, Hold)?.ToString();

    private void Lease(int machine)
    {
        var address = Ipv4Address.Parse(Offer(machine)!);
        Assert.True(table.TryLease(Mac(machine), "lan", address, now + TimeSpan.FromHours(1), null, now));
    }
}
