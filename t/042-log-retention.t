#!/usr/bin/perl
# scim_log_retention: what is older than its time goes from the change log, and beyond its size the oldest, whatever tenant
# they are of, without a request and beside requests; positions are never given again, the store stays sound, and scimctl
# log says where the log begins.

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

# So many changes, so many seconds old, behind a tenant's last.
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
    is $exit, 0, 'and the store is sound' or diag $out;
    return;
}
sub create {
    my ($tenant, $name) = @_;
    my $r = $t->request(POST => '/scim/v2/Users', token => $token{$tenant}, json => Scim::user($name));
    return $r->{headers}{etag} // "no ETag: $r->{status}";
}
# Lines of scimctl log, and what it said beside them.
sub logged {
    my ($tenant, @options) = @_;
    my ($exit, $out, $err) = $t->scimctl(qw(log --tenant), $tenant, @options);
    $exit == 0 or die "scimctl log: $exit $err";
    return ($err, split /\n/, $out);
}
sub text { return POSIX::strftime('%Y-%m-%dT%H:%M', gmtime shift) }

# --- by default 90 days

changes('acme', 3, 95 * $day);
changes('acme', 4, 85 * $day);
changes('globex', 5, 95 * $day);
$t->start->served('/scim/v2/Users', token => $token{acme});
trimmed_to(4, 'what is older than 90 days goes, of every tenant');
is create('globex', 'ada'), 'W/"6"', 'a tenant without a log goes on where it was';
is create('acme', 'ada'), 'W/"8"', 'another, too';

my ($err, @lines) = logged('acme');
my $begin = text(time - 85 * $day);
like $err, qr/\Ascimctl: the log begins at \Q$begin\E:[\d.:]+Z: what was before has been trimmed \(scim_log_retention\)\n\z/,
    'scimctl log says where it begins';
is scalar @lines, 5, 'and shows what is there';
is +(logged('acme', qw(--since 100d)))[0], $err, 'with --since before the beginning, too';
is +(logged('acme', qw(--since 100d --limit 2)))[0], "${err}scimctl: only the last 2 are shown; --limit shows more\n",
    'whatever else there is to say';
is +(logged('acme', qw(--since 80d)))[0], '', 'with --since behind it nothing is missing';
is +(logged('acme', qw(--limit 2)))[0], '', 'nor where the end is asked for';
is +(logged('acme', qw(--failed)))[0], '', 'and refusals are another matter';
($err, @lines) = map { /^\{/ ? $json->decode($_) : $_ } logged('acme', '--json');
is $err, '', 'with --json nothing is said beside';
is_deeply [@{ $lines[0] }{qw(kind position)}, scalar @lines], ['begin', 4, 6], 'but in the first line';
like $lines[0]{time}, qr/^\Q$begin\E/, 'with the time';
like +(logged('globex', qw(--since 1d)))[0], qr/the log begins at/, 'another tenant has another beginning';

# --- a time, while requests are served; all of it as old as it was said to be

$t->tenant($_) for qw(initech hooli);
changes('initech', 1500, 2 * 3600);
changes('initech', 10, 600);
$t->conf(undef, http => "$store scim_log_retention 1h;");
my $writers = $t->launch(2, 40, sub {
    my ($i, $client) = @_;
    return { status => $client->request(POST => '/scim/v2/Users', token => $token{acme}, json => Scim::user("user$i"))->{status} };
});
$t->reload;
is scalar(grep $_->{status} == 201, $t->collect($writers)), 40, 'writes pass beside the trimming';
my $young = 1 + 1 + 40;    # by requests
trimmed_to($young + 10, 'an hour is kept');
is create('acme', 'last'), 'W/"49"', 'no position is lost or given again';

# --- a size: the oldest of all go, and no more than must

changes('hooli', 50, 550);
changes('initech', 50, 500);
changes('initech', 20, 300);
$t->conf(undef, http => "$store scim_log_retention 1h 1m;");
$t->reload(gone => 1);
ok $t->wait_for(sub { rows() < 100 + $young }), 'beyond the size something goes';
is scalar(@{[ logged('hooli') ]}), 1, 'the oldest, of whichever tenant';
like +(logged('hooli'))[0], qr/the log is empty: what was before has been trimmed/, 'which is said';
(undef, @lines) = logged('initech', qw(--json --limit 1000));
is $json->decode(pop @lines)->{position}, 1580, 'the youngest stay';
cmp_ok scalar @lines, '>', 50, 'as many as there is room for';
cmp_ok scalar @lines, '<', 65, 'and no more';
is scalar(@{[ logged('acme', qw(--limit 1000)) ]}), 1 + $young, 'what is younger is not concerned';
is +($t->scimctl('verify'))[0], 0, 'the store is sound';

# --- who follows, and is slower than the trimming

$t->tenant('slow');
changes('slow', 2, 600);
my $out = "$t->{dir}/follow";
my $pid = fork // die "fork: $!";
if (!$pid) {
    open STDOUT, '>', $out;
    exec $ENV{TEST_SCIMCTL}, '--store', $t->{store}, qw(log --tenant slow --follow --json) or POSIX::_exit(127);
}
sub seen { return map $json->decode($_), split /\n/, Scim::_slurp($out) }
ok $t->wait_for(sub { seen() == 2 }), 'two changes are followed';
kill STOP => $pid;
changes('slow', 3, 500);
$t->conf(undef, http => "$store scim_log_retention 1m;");
$t->reload(gone => 1);
ok $t->wait_for(sub { (logged('slow'))[0] =~ /the log is empty/ }), 'three more come and go';
kill CONT => $pid;
ok $t->wait_for(sub { seen() == 3 }), 'which is said, once';
is_deeply +(seen())[2], { kind => 'begin', position => 6 }, 'with the position that comes next';
changes('slow', 1, 0);
ok $t->wait_for(sub { seen() == 4 }), 'and what comes is shown';
is +(seen())[3]{position}, 6, 'from there on';
kill TERM => $pid;
$t->wait_for(sub { waitpid($pid, POSIX::WNOHANG) == $pid });
is $?, 0, 'to its end';

# --- who has nothing to trim leaves the write lock to others: workers come and go while it is held

my $lock = $t->hold_lock;
ok $t->reload(gone => 1), 'a reload while another holds the lock' for 1 .. 2;
$t->release($lock);

$t->finish;
