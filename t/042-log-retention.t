#!/usr/bin/perl
# scim_log_retention removes entries of the change log that are older than its time and, beyond its size, the oldest of all
# tenants, with and without requests. Positions are not reused, the store stays consistent, and scimctl log says where the
# log begins.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use Test::More;
use Scim;

my ($json, $store) = ($Scim::json, 'scim_store main %%DIR%%/store;');
my $t = Scim->new(workers => 2, http => $store, server => 'location /scim/v2/ { scim main; }');
my %token = (acme => $t->seed('acme'));
$token{globex} = $t->token($t->tenant('globex'));
my $day = 86400;

# Appends COUNT changes that are AGE seconds old to the log of a tenant: (tenant, count, age).
sub changes {
    my ($exit, undef, $err) = $t->poke('log', @_);
    $exit == 0 or die "poke log: $err";
    return;
}
sub rows { return +($t->poke(qw(count changes)))[1] + 0 }
sub trimmed_to {
    my ($count, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $t->wait_for(sub { rows() <= $count });
    is rows(), $count, $name;
    my ($exit, $out) = $t->scimctl('verify');
    is $exit, 0, "$name: verify finds no problem" or diag $out;
    return;
}
sub create {
    my ($tenant, $name) = @_;
    my $r = $t->request(POST => '/scim/v2/Users', token => $token{$tenant}, json => Scim::user($name));
    return $r->{headers}{etag} // "no ETag: $r->{status}";
}
# The messages of scimctl log, and the lines that it prints.
sub logged {
    my ($tenant, @options) = @_;
    my ($exit, $out, $err) = $t->scimctl(qw(log --tenant), $tenant, @options);
    $exit == 0 or die "scimctl log: $exit $err";
    return ($err, split /\n/, $out);
}
# A pattern of the minutes from `from` to `to`, which are times in seconds.
sub minutes {
    my ($from, $to) = @_;
    my %text = map { POSIX::strftime('%Y-%m-%dT%H:%M', gmtime $_) => 1 } $from .. $to;
    return join '|', sort keys %text;
}

# --- 90 days by default

changes('acme', 3, 95 * $day);
my $before = time;
changes('acme', 4, 85 * $day);
my $begin = minutes($before - 85 * $day, time - 85 * $day);
changes('globex', 5, 95 * $day);
$t->start->served('/scim/v2/Users', token => $token{acme});
trimmed_to(4, 'changes older than 90 days are removed from the logs of all tenants');
is create('globex', 'ada'), 'W/"6"', 'a write to a tenant whose log has been emptied has the next position';
is create('acme', 'ada'), 'W/"8"', 'a write to a tenant whose log has been trimmed has the next position';

my ($err, @lines) = logged('acme');
like $err,
    qr/\Ascimctl: the log begins at (?:$begin):[\d.:]+Z; earlier changes have been trimmed \(scim_log_retention\)\n\z/,
    'log says where the log begins';
is scalar @lines, 5, 'log prints the entries that are left';
is +(logged('acme', qw(--since 100d)))[0], $err, 'log --since with a time before the beginning says where the log begins';
is +(logged('acme', qw(--since 100d --limit 2)))[0], "${err}scimctl: only the last 2 are shown; --limit shows more\n",
    'log --since --limit says where the log begins and that more entries match';
is +(logged('acme', qw(--since 80d)))[0], '', 'log --since with a time after the beginning says nothing';
is +(logged('acme', qw(--limit 2)))[0], '', 'log --limit without --since says nothing';
is +(logged('acme', qw(--failed)))[0], '', 'log --failed does not say where the changes begin';
($err, @lines) = map { /^\{/ ? $json->decode($_) : $_ } logged('acme', '--json');
is $err, '', 'log --json prints no message on stderr';
is_deeply [@{ $lines[0] }{qw(kind position)}, scalar @lines], ['begin', 4, 6],
    'log --json begins with an entry of kind begin';
like $lines[0]{time}, qr/^(?:$begin)/, 'the entry of kind begin has the time';
like +(logged('globex', qw(--since 1d)))[0], qr/the log begins at/, 'the log of another tenant has its own beginning';

# --- a retention of one hour while requests are served

$t->tenant($_) for qw(initech hooli);
changes('initech', 1500, 2 * 3600);
changes('initech', 10, 600);
$t->conf(undef, http => "$store scim_log_retention 1h;");
my $writers = $t->launch(2, 40, sub {
    my ($i, $client) = @_;
    return { status => $client->request(POST => '/scim/v2/Users', token => $token{acme}, json => Scim::user("user$i"))->{status} };
});
$t->reload;
is scalar(grep $_->{status} == 201, $t->collect($writers)), 40, '40 writes during the trimming are answered with 201';
my $young = 1 + 1 + 40;    # changes by requests
trimmed_to($young + 10, 'changes older than one hour are removed');
is create('acme', 'last'), 'W/"49"', 'the next position is not reused after the trimming';

# --- a size: the oldest entries of all tenants are removed until the log has that size

changes('hooli', 50, 550);
changes('initech', 50, 500);
changes('initech', 20, 300);
$t->conf(undef, http => "$store scim_log_retention 1h 1m;");
$t->reload(gone => 1);
ok $t->wait_for(sub { rows() < 100 + $young }), 'entries beyond the size are removed';
is scalar(@{[ logged('hooli') ]}), 1, 'the oldest entries are removed, those of the tenant hooli';
like +(logged('hooli'))[0], qr/the log is empty; earlier changes have been trimmed/,
    'log says that the log of hooli has been trimmed to nothing';
(undef, @lines) = logged('initech', qw(--json --limit 1000));
is $json->decode(pop @lines)->{position}, 1580, 'the youngest entry of initech is left';
cmp_ok scalar @lines, '>', 50, 'more than 50 entries of initech are left';
cmp_ok scalar @lines, '<', 65, 'fewer than 65 entries of initech are left';
is scalar(@{[ logged('acme', qw(--limit 1000)) ]}), 1 + $young, 'all younger entries of acme are left';
is +($t->scimctl('verify'))[0], 0, 'verify finds no problem after trimming to a size';

# --- a reader that follows the log more slowly than it is trimmed

$t->tenant('slow');
changes('slow', 2, 600);
my $out = "$t->{dir}/follow";
my $pid = fork // die "fork: $!";
if (!$pid) {
    open STDOUT, '>', $out;
    exec $ENV{TEST_SCIMCTL}, '--store', $t->{store}, qw(log --tenant slow --follow --json) or POSIX::_exit(127);
}
sub seen { return map $json->decode($_), split /\n/, Scim::_slurp($out) }
ok $t->wait_for(sub { seen() == 2 }), '--follow prints two changes';
kill STOP => $pid;
changes('slow', 3, 500);
$t->conf(undef, http => "$store scim_log_retention 1m;");
$t->reload(gone => 1);
ok $t->wait_for(sub { (logged('slow'))[0] =~ /the log is empty/ }),
    'three more changes are written and trimmed while --follow is stopped';
kill CONT => $pid;
ok $t->wait_for(sub { seen() == 3 }), '--follow prints one entry for the trimmed changes';
is_deeply +(seen())[2], { kind => 'begin', position => 6 }, 'the entry has kind begin and the next position';
changes('slow', 1, 0);
ok $t->wait_for(sub { seen() == 4 }), '--follow prints the next change';
is +(seen())[3]{position}, 6, 'the next change has the position of the entry of kind begin';
kill TERM => $pid;
$t->wait_for(sub { waitpid($pid, POSIX::WNOHANG) == $pid });
is $?, 0, 'SIGTERM ends --follow with exit code 0 after the trimming';

# --- a worker without entries to trim does not take the write lock: reloads complete while another process holds it

my $lock = $t->hold_lock;
ok $t->reload(gone => 1), 'a reload completes while another process holds the write lock' for 1 .. 2;
$t->release($lock);

$t->finish;
