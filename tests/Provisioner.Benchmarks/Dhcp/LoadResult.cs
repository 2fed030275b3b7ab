using System.Globalization;
using System.Text.RegularExpressions;

namespace Provisioner.Benchmarks.Dhcp;

/// <summary>What perfdhcp reported of one run.</summary>
/// <param name="Completed">Whole exchanges.</param>
/// <param name="Dropped">DISCOVERs and REQUESTs without an answer.</param>
/// <param name="P50">Milliseconds from DISCOVER to OFFER.</param>
internal sealed partial record LoadResult(int Completed, int Dropped, double P50, double P95)
{
    public static LoadResult Read(string report)
    {
        var received = Numbers(ReceivedPackets(), report);
        var drops = Numbers(Drops(), report);
        var offers = report.Split("***Timestamps for packets: REQUEST-ACK***")[0];
        var delays = Timestamps().Matches(offers)
            .Select(m => (Seconds(m.Groups["received"].Value) - Seconds(m.Groups["sent"].Value)) * 1000).Order().ToArray();
        return new LoadResult(
            received.Length == 2 ? (int)received[1] : 0,
            (int)drops.Sum(),
            delays.Length == 0 ? double.NaN : delays[delays.Length / 2],
            delays.Length == 0 ? double.NaN : delays[delays.Length * 95 / 100]);
    }

    private static double[] Numbers(Regex pattern, string report) => [.. pattern.Matches(report).Select(m => Seconds(m.Groups["number"].Value))];

    private static double Seconds(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^received packets: (?<number>\d+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex ReceivedPackets();

    [GeneratedRegex(@"^drops: (?<number>\d+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Drops();

    [GeneratedRegex(@"^sent / received: (?<sent>[\d.]+) / (?<received>[\d.]+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Timestamps();
}
