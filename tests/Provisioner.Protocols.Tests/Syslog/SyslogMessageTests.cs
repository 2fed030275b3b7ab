using System.Text;
using CsCheck;
using Provisioner.Protocols.Syslog;

namespace Provisioner.Protocols.Tests.Syslog;

public sealed class SyslogMessageTests
{
    [Theory]
    // RFC 5424 §6.5, and what rsyslog, anaconda and iPXE send.
    [InlineData("<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - 'su root' failed", 2, 4, "su", "'su root' failed")]
    [InlineData("<165>1 2003-10-11T22:14:15.003Z mymachine evntslog - ID47 [exampleSDID@32473 iut=\"3\" x=\"a]b\\\"c\"][other@1 y=\"z\"] \ufeffAn entry", 5, 20, "evntslog", "An entry")]
    [InlineData("<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick", 2, 4, "su", "'su root' failed for lonvick")]
    [InlineData("<14>Nov  6 08:01:02 rack1-n07 anaconda[1234]: Installing libgcc (1/412)", 6, 1, "anaconda", "Installing libgcc (1/412)")]
    [InlineData("<30>subiquity[77]: start: subiquity/Install/install", 6, 3, "subiquity", "start: subiquity/Install/install")]
    [InlineData("<86>ipxe: net0: 52:54:00:12:34:56 using virtio-net", 6, 10, "ipxe", "net0: 52:54:00:12:34:56 using virtio-net")]
    [InlineData("<0>", 0, 0, null, "")]
    [InlineData("<191>no tag here, just words", 7, 23, null, "no tag here, just words")]
    [InlineData("<13>1 broken", 5, 1, null, "1 broken")]
    public void Reads_what_is_sent(string datagram, int severity, int facility, string? program, string text)
    {
        Assert.True(SyslogMessage.TryParse(Encoding.UTF8.GetBytes(datagram), out var message, out var reason), reason);
        Assert.Equal(new SyslogMessage(severity, facility, program, text), message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("hello")]
    [InlineData("<>x")]
    [InlineData("<192>x")]
    [InlineData("<1a>x")]
    [InlineData("<1234>x")]
    [InlineData("<12")]
    public void Refuses_what_has_no_priority(string datagram)
    {
        Assert.False(SyslogMessage.TryParse(Encoding.UTF8.GetBytes(datagram), out _, out var reason));
        Assert.Contains("<0> to <191>", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_bytes_are_read_or_refused() =>
        Gen.Select(Gen.Byte.Array[0, 300], Gen.Int[0, 2]).Sample((bytes, how) =>
        {
            byte[] datagram = how switch { 0 => bytes, 1 => [.. "<34>"u8, .. bytes], _ => [.. "<34>1 - - a - - "u8, .. bytes] };
            _ = SyslogMessage.TryParse(datagram, out _, out _);
        });
}
