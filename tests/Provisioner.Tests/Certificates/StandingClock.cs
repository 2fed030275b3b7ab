using Provisioner.Certificates;

namespace Provisioner.Tests.Certificates;

/// <summary>A clock that says of itself what the test wants.</summary>
internal sealed class StandingClock : IClock
{
    public ClockStatus Status { get; set; } = new(true, "the test says so");
}
