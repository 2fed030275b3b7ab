using CsCheck;
using Provisioner.Storage;
using Provisioner.Registering;

namespace Provisioner.Tests.Registering;

public sealed class HostListTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("name,mac,rack\nn1,52:54:00:00:00:01,\"Rack, one\"")]
    [InlineData("name;mac;rack\r\nn1;52:54:00:00:00:01;Rack, one\r\n")]
    [InlineData("\uFEFFHostname\tMAC\tCabinet\nn1\t52-54-00-00-00-01\tRack, one\n\n")]
    public void What_a_spreadsheet_gives_is_read(string text)
    {
        var list = HostList.Parse(text);
        var row = Assert.Single(list.Check(list.Guess(), new Dictionary<string, string>(), Snapshot.Empty, Now));
        Assert.Empty(row.Mistakes);
        var host = Assert.IsType<Provisioner.Hosts.Host>(Assert.Single(row.Documents).Resource);
        Assert.Equal(("n1", "Rack, one", "52:54:00:00:00:01"), (host.Name, host.Spec.Location!.Rack, host.Spec.MacAddresses[0].ToString()));
    }

    [Fact]
    public void A_row_that_says_nothing_gets_what_is_given_for_all()
    {
        var list = HostList.Parse("name,mac,architecture\nn1,52:54:00:00:00:01,\nn2,52:54:00:00:00:02,arm64\n");
        var rows = list.Check(list.Guess(), new Dictionary<string, string> { ["architecture"] = "AMD64" }, Snapshot.Empty, Now);
        Assert.Equal(["X64", "Arm64"], rows.Select(r => ((Provisioner.Hosts.Host)r.Documents[0].Resource).Spec.Architecture.ToString()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n\n")]
    [InlineData("name,mac")]
    public void Nothing_is_told_from_something(string text) => Assert.Throws<FormatException>(() => HostList.Parse(text));

    [Fact]
    public void Any_text_is_a_list_or_is_refused() => Gen.Char.Array[0, 400].Select(c => new string(c)).Sample(text =>
    {
        try
        {
            var list = HostList.Parse("name,mac\n" + text);
            _ = list.Check(list.Guess(), new Dictionary<string, string>(), Snapshot.Empty, Now);
        }
        catch (FormatException)
        {
            // Refused, with its reason.
        }
    }, iter: 2_000);
}
