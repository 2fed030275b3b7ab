namespace Provisioner.Webhooks;

/// <summary>One event that was, or is to be, delivered to a webhook.</summary>
/// <param name="EventId">Of the event; 0 for a trial.</param>
/// <param name="Answer">What the other side answered last, or why it could not be asked.</param>
internal sealed record Delivery(long EventId, DateTimeOffset FirstAt, DateTimeOffset LastAt, int Attempts, bool Delivered, bool GivenUp, string Answer);
