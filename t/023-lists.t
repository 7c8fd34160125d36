#!/usr/bin/perl
# Lists page as RFC 7644 3.4.2.4 says, whichever thread makes them: every user is on exactly one page.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $user = $Scim::Check::user_urn;
my $t = Scim->new(main => "thread_pool writes threads=1;\nthread_pool reads threads=2;\n",
    http => 'scim_store main %%DIR%%/store; scim_thread_pool writes reads;', server => <<'EOS');
    location /scim/v2/ { scim main; }
    location /small/ { scim main; scim_max_results 7; }
EOS
my $token = $t->seed('acme');
my $c = $t->client(token => $token);
$t->start;
my $base = '/scim/v2/Users';

sub list { my ($query, @rest) = @_; return is_list($c, length $query ? "$base?$query" : $base, @rest) }
sub ids { return [map $_->{id}, @{ $_[0]{Resources} }] }

list '', 0, 0, 'an empty directory';

my $count = 2103;
my @made = $t->concurrently(8, $count, sub {
    my ($i, $client) = @_;
    my $r = $client->request(POST => $base, token => $token, json => { schemas => [$user], userName => "user$i",
        emails => [{ value => $i < 250 ? 'team@x.com' : "$i\@x.com" }] });
    return { status => $r->{status}, id => $r->{json}{id} };
});
is scalar(grep $_->{status} == 201, @made), $count, 'users';
my @ids = sort map $_->{id}, @made;

# --- startIndex and count (S-93..97)

my $first = list '', $count, 100, 'without count: a hundred';
is_deeply ids($first), [@ids[0 .. 99]], 'in the order of their ids';
is $first->{startIndex}, 1, 'from the first';
is list("startIndex=$_", $count, 100)->{startIndex}, 1, 'is the first' for qw(1 0 -5 -99999999999999999999);
is_deeply ids(list 'startIndex=3&count=2', $count, 2), [@ids[2, 3]], 'the third and fourth';
is list('startIndex=3&count=2', $count, 2)->{startIndex}, 3, 'says where it begins';
list "count=$_", $count, 0 for qw(0 -1 -99999999999999999999);
is list("startIndex=$count&count=10", $count, 1)->{Resources}[0]{id}, $ids[-1], 'the last';
list $_, $count, 0 for 'startIndex=' . ($count + 1), 'startIndex=99999999999999999999&count=5';
list "count=$_", $count, 1000 for qw(1000 1001 99999999999999999999);
is_list $c, "/small/Users$_", $count, 7, "scim_max_results 7 with '$_'" for '', '?count=8', '?count=1000';
is_list $c, '/small/Users?count=3', $count, 3, 'and less';
list 'STARTINDEX=2&Count=1', $count, 1;
list 'startIndex&count=&count=2', $count, 2;
is_error $c->request(GET => "$base?$_"), 400, 'invalidValue', qr/query parameter "(?:startIndex|count)" is ".*", expected an integer/,
    $_ for qw(startIndex=one count=1.5 count=+ count=1e3 count=0x10 count=%2B5);

# --- the same pages from the event loop and from the pool

my @paged;
push @paged, @{ ids($c->request(GET => "$base?startIndex=$_&count=150")->{json}) } for map 1 + 150 * $_, 0 .. 13;
is_deeply [@paged, @{ ids($c->request(GET => "$base?startIndex=2101")->{json}) }], \@ids, 'pages of 150';

# How often the worker's other threads have gone to sleep: the number rises when one of them has had something to do.
sub naps {
    my ($worker) = $t->workers;
    $t->threads_sleep($worker);
    my $sum = 0;
    for my $file (grep !m{/$worker/status}, glob "/proc/$worker/task/*/status") {
        open my $f, '<', $file or next;
        while (<$f>) { $sum += $1 if /^voluntary_ctxt_switches:\s*(\d+)/ }
    }
    return $sum;
}
my $before = naps();
list $_, $count, 100 for ('startIndex=2000') x 5;
list 'count=200', $count, 200;
is naps(), $before, 'short reads are answered on the event loop';
list 'count=201', $count, 201;
ok $t->wait_for(sub { naps() > $before }, 10), 'a page of more than 200 is made by the pool';
$before = naps();
is_deeply ids(list 'startIndex=2001&count=2', $count, 2), [@ids[2000, 2001]], 'a page behind the 2000th';
ok $t->wait_for(sub { naps() > $before }, 10), 'is made by the pool';
is_deeply ids(list 'count=1000', $count, 1000), [@ids[0 .. 999]], 'a thousand';
is_deeply ids(list 'startIndex=1501&count=1000', $count, 603), [@ids[1500 .. $#ids]], 'and the rest';
my $long = list('count=201&startIndex=5', $count, 201)->{Resources}[0];
is_deeply $long, list('count=1&startIndex=5', $count, 1)->{Resources}[0], 'the same resource either way';
is_deeply $long, $c->request(GET => "$base/$long->{id}")->{json}, 'as when it is read alone';
is_error $c->request(GET => "$base?count=500&attributes=id&excludedAttributes=id"), 400, 'invalidValue', qr/exclude each other/,
    'a long read that is refused';
list 'filter=emails.value+eq+"team@x.com"', 250, 100, 'a filter that finds many: a page';
list 'filter=emails.value+eq+"team@x.com"&startIndex=241', 250, 10, 'its last page';
list 'filter=emails.value+eq+"team@x.com"&count=250', 250, 250, 'a long read with a filter';
list 'filter=userName+eq+"user5"&count=0', 1, 0, 'how many there are, and no more';

my @many = $t->concurrently(12, 48, sub {
    my ($i, $client) = @_;
    my $r = $client->request(GET => "$base?count=300&attributes=userName&startIndex=" . ($i + 1), token => $token);
    return { first => $r->{json}{Resources}[0]{id}, items => scalar @{ $r->{json}{Resources} } };
});
is_deeply \@many, [map +{ first => $ids[$_], items => 300 }, 0 .. 47], 'many long reads at once';
for (1 .. 5) {
    my $gone = $t->client(token => $token);
    $gone->send(GET => "$base?count=1000");
    $gone->close;
}
is_deeply ids(list 'count=201', $count, 201), [@ids[0 .. 200]], 'clients that left before their page was ready do no harm';

$t->finish;
