#!/usr/bin/perl
# A page by startIndex has the right resources wherever it begins, after any creates and deletes and while others write, on
# every worker.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

my $seed = $ENV{SCIM_SEED} // time;
note "SCIM_SEED=$seed";
srand $seed;

my $t = Scim->new(workers => 2, http => 'scim_store main %%DIR%%/store;', server => 'location /scim/v2/ { scim main; }');
my $token = $t->seed('acme');
my $base = '/scim/v2/Users';
$t->start->served($base, token => $token);

my $created = 0;
sub create { my ($client, $name) = @_;
    my $r = $client->request(POST => $base, json => Scim::user($name));
    return $r->{status} == 201 ? $r->{json}{id} : die "$r->{status} $r->{body}" }
my @ids = sort map $_->{id} // die($_->{error}),
    $t->concurrently(8, 1500, sub { my ($i, $client) = @_; return { id => create($client, "user$i") } }, token => $token);

# A page is [totalResults, ids].
sub page { my ($client, $start, $count, $path) = @_;
    my $r = $client->request(GET => ($path // $base) . "?attributes=id&startIndex=$start&count=$count");
    return [$r->{json}{totalResults}, [map $_->{id}, @{ $r->{json}{Resources} // [] }]] }

# What is wrong with random pages of the users @ids.
sub wrong_pages { my ($number, @clients) = @_;
    my @wrong;
    for my $client (@clients) {
        for (1 .. $number) {
            my ($start, $count) = (1 + int rand @ids + 3, 1 + int rand 20);
            my $end = $start + $count - 2 > $#ids ? $#ids : $start + $count - 2;
            my $page = page($client, $start, $count);
            push @wrong, "startIndex=$start&count=$count" if "$page->[0] @{ $page->[1] }" ne @ids . " @ids[$start - 1 .. $end]";
        }
    }
    return "@wrong";
}
my @clients = map $t->client(token => $token), 1 .. 6;
is wrong_pages(20, @clients), '', 'random pages of 1500 users have the users of their ranks';
is_deeply page($clients[0], scalar @ids, 10), [scalar @ids, [$ids[-1]]], 'the page that begins with the last user has this one';
is_deeply page($clients[0], @ids + 1, 10), [scalar @ids, []], 'a page behind the last user is empty';

# --- after creates and deletes

my $wrong = '';
for my $round (1 .. 60) {
    if (rand() < 0.4) {
        @ids = sort @ids, create($clients[0], "more$round");
    } else {
        my ($from, $count) = (int rand @ids, rand() < 0.2 ? 80 : 5);    # neighbours, so that blocks become empty
        $clients[0]->request(DELETE => "$base/$_")->{status} == 204 or die $_ for splice @ids, $from, $count;
    }
    $wrong .= wrong_pages(1, @clients);
}
is $wrong, '', 'random pages are right after each of 60 rounds of creates and deletes';
my $group = $clients[0]->request(POST => '/scim/v2/Groups', json => { displayName => 'g' })->{json}{id};
is_deeply page($clients[0], scalar @ids, 10, '/scim/v2/'), [@ids + 1, [$ids[-1], $group]],
    'a page of all resource types continues with the next type';
is_deeply page($clients[0], @ids + 1, 10, '/scim/v2/'), [@ids + 1, [$group]], 'a page of all resource types begins in the second type';

# --- while others write

my $writing = $t->launch(3, 3, sub {
    my ($i, $client) = @_;
    my @own;
    for my $n (1 .. 400) {
        last if -e "$t->{dir}/enough";
        push @own, create($client, "writer$i-$n");
        $client->request(DELETE => "$base/" . splice @own, rand @own, 1) if @own > 20;
    }
    return { own => \@own };
}, token => $token);
my (%stable, @wrong);
@stable{@ids} = ();
for (1 .. 150) {
    my ($start, $count) = (1 + int rand @ids, 50);
    my $page = page($clients[rand @clients], $start, $count);
    my ($total, @got) = ($page->[0], @{ $page->[1] });
    my $items = $total - $start + 1 < $count ? $total - $start + 1 : $count;
    # All the users that are written have greater ids than the others, whose ranks stay.
    my @known = grep exists $stable{$_}, @got;
    my $last = $start + $count - 2 > $#ids ? $#ids : $start + $count - 2;
    push @wrong, "startIndex=$start" if @got != $items || "@got" ne join(' ', sort @got) || "@known" ne "@ids[$start - 1 .. $last]";
}
is "@wrong", '', '150 pages beside three writers are full, in order, and have the users of their ranks';
$t->write_file('enough', '');
@ids = sort @ids, map @{ $_->{own} // die $_->{error} }, $t->collect($writing);
is wrong_pages(20, @clients), '', 'random pages are right when the writers have ended';
my ($exit, $out) = $t->scimctl('verify');
is $exit, 0, 'scimctl verify finds no error' or diag $out;

$t->finish;
