using System.Collections.Immutable;
using Provisioner.Appliance.Setup;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Tests.Appliance.Setup;

public sealed class SetupQuestionsTests
{
    private static readonly ImmutableArray<WiredLink> Links = [new("eno1", MacAddress.Parse("52:54:00:12:34:56"), false), new("eno2", MacAddress.Parse("52:54:00:12:34:57"), true)];

    [Fact]
    public void An_empty_line_is_the_default_everywhere()
    {
        var (answers, said) = Ask(new SetupAnswers(), Enumerable.Repeat("", 20));

        Assert.Equal(new SetupAnswers { Provisioning = new ProvisioningAnswers { Interface = "eno2" } }, answers);
        Assert.Contains("Host name [provisioner]: ", said, StringComparison.Ordinal);
        Assert.Contains("DHCP (off, proxy or reserve) [off]: ", said, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_wrong_is_said_and_asked_again()
    {
        var (answers, said) = Ask(new SetupAnswers(),
        [
            "Rack_7", "rack7-boot", "Mars/Olympus", "Europe/Zurich", "10.77.0.5 ntp.example.com", "eno9", "eno1", "10.77.0.2", "10.77.0.2/24", "10.78.0.1", "10.77.0.1",
            "10.77.0.5,", "maybe", "reserve", "10.77.0.1-10.77.0.9", "", "none", "perhaps", "yes",
        ]);

        Assert.NotNull(answers);
        Assert.Equal(("rack7-boot", "Europe/Zurich", "eno1", "10.77.0.2/24"), (answers.HostName, answers.TimeZone, answers.Provisioning.Interface, answers.Provisioning.Address!.ToString()));
        Assert.Equal(["10.77.0.5", "ntp.example.com"], answers.TimeServers);
        Assert.Equal("10.77.0.128-10.77.0.254", answers.Provisioning.Range.ToString());
        foreach (var wrong in new[]
        {
            "'Rack_7' is not an RFC 1123 name", "'Mars/Olympus' is not known here", "there is no wired interface 'eno9'", "'10.77.0.2' is not an address on an interface",
            "10.78.0.1 is not another host's address in 10.77.0.0/24", "'maybe' is not a DHCP mode", "this machine's own 10.77.0.2 lies in it", "'perhaps' is not an answer",
        })
            Assert.Contains(wrong, said, StringComparison.Ordinal);
        // The answers of last time are the defaults of the next.
        Assert.Equal(answers, Ask(answers, Enumerable.Repeat("", 20)).Answers);
    }

    [Fact]
    public void A_backup_is_asked_for_with_its_passphrase_which_is_not_shown()
    {
        var (answers, said) = Ask(new SetupAnswers(), ["", "", "", "", "", "", "", "site.tar.age", "", "yes"], "open sesame");

        Assert.Equal(new RestoreAnswer("site.tar.age", "open sesame", null), answers!.Restore);
        Assert.DoesNotContain("sesame", said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("no")]
    [InlineData(null)]
    public void Without_a_yes_nothing_is_answered(string? last) =>
        Assert.Null(Ask(new SetupAnswers(), [.. Enumerable.Repeat("", 8), last!]).Answers);

    [Theory]
    [InlineData("10.77.0.2/24", null, "10.77.0.128-10.77.0.254")]
    [InlineData("10.77.0.254/24", null, "10.77.0.128-10.77.0.253")]
    [InlineData("10.77.0.130/24", "10.77.0.254", "10.77.0.131-10.77.0.253")]
    [InlineData("10.0.0.1/30", null, "10.0.0.2-10.0.0.2")]
    public void The_usual_range_is_without_the_appliance_and_the_router(string own, string? gateway, string expected)
    {
        Assert.True(SetupFields.Address.TryRead(new TextNode.Scalar(own, false, default), "", new Reading(), out var address));
        Assert.Equal(expected, SetupQuestions.UsualRange(address!, gateway is null ? null : Ipv4Address.Parse(gateway)).ToString());
    }

    private static (SetupAnswers? Answers, string Said) Ask(SetupAnswers before, IEnumerable<string> typed, string secret = "")
    {
        using var lines = typed.GetEnumerator();
        var output = new StringWriter();
        var terminal = new SetupTerminal(output, () => lines.MoveNext() ? lines.Current : null, _ => secret);
        return (new SetupQuestions(terminal).Ask(before, Links, zone => zone is "UTC" or "Europe/Zurich"), output.ToString());
    }
}
